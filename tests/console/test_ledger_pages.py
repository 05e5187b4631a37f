"""The ledger in the console: search, a stream, an entry with its proof, verification; and who may read what."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agentops.console.streams import streams_visible_to
from agentops.identifiers import new_id
from agentops.ledger import admin as ledger_admin
from agentops.ledger import search as ledger_search
from agentops.ledger import signed as ledger_signed
from agentops.ledger.checkpoints import take_checkpoint
from agentops.ledger.entries import Draft
from agentops.ledger.models import Stream
from agentops.ledger.search import ENTRIES_PER_PAGE, read_entry
from agentops.ledger.store import erase_contents, record
from tests.cast import Cast
from tests.console.visits import Page, count_queries, sign_in, text_of
from tests.ledger.forging import as_owner

pytestmark = [pytest.mark.console, pytest.mark.slow]

SEARCH = "/admin/ledger/stream/"
NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
SCRIPT = "<script>alert(1)</script>"


def write(stream: UUID, kind: str, *drafts: Draft) -> None:
    with transaction.atomic():
        record(stream, kind, *drafts)


@pytest.fixture
def story(cast: Cast) -> UUID:
    """What happened to the cast's agent, and to a stream of another team."""
    content = {"reason": f"An audit. {SCRIPT}"}
    suspended = Draft("agent.suspended", NOON, {"before": "active"}, content, cast.alice.pk)
    write(cast.agent.pk, "identity", suspended, Draft("agent.activated", NOON, {}, None, cast.ada.pk))
    write(
        cast.other_team.pk, "team", Draft("team.updated", NOON, {"fields": ["name"]}, None, cast.charlie.pk)
    )
    return cast.agent.pk


def search(client: Client, **query: str) -> Page:
    return client.get(SEARCH, query)


def stream_page(stream: UUID) -> str:
    return reverse("admin:ledger_stream_change", args=[stream])


def entry_page(stream: UUID, seq: int) -> str:
    return reverse("admin:ledger_stream_entry", args=[stream, seq])


class TestSearch:
    @pytest.mark.parametrize(
        ("query", "found"),
        [({}, {"agent.suspended", "agent.activated"}), ({"kind": "agent.suspended"}, {"agent.suspended"}),
         ({"actor": "ada"}, {"agent.activated"}), ({"stream_kind": "identity"}, {"agent.suspended", "agent.activated"}),
         ({"stream_kind": "team"}, set()), ({"kind": "agent.suspended", "actor": "ada"}, set())],
    )  # fmt: skip
    def test_it_finds_what_was_asked_for(
        self, cast: Cast, story: UUID, query: dict[str, str], found: set[str]
    ) -> None:
        entries = search(sign_in(cast.bob), **query).context["found"].entries
        assert {entry.kind for entry in entries} - {"person.signed_in"} == found

    def test_it_finds_by_stream_and_by_an_actors_id(self, cast: Cast, story: UUID) -> None:
        client = sign_in(cast.bob)
        assert len(search(client, stream=str(story)).context["found"].entries) == 2
        assert len(search(client, actor=str(cast.alice.pk)).context["found"].entries) == 1

    def test_it_says_when_the_streams_were_last_signed(self, cast: Cast, story: UUID) -> None:
        client = sign_in(cast.bob)
        assert "has not been signed yet" in text_of(search(client))
        take_checkpoint(now=timezone.now())
        assert "checkpoint 1." in text_of(search(client))

    @pytest.mark.parametrize("query", [{"stream": "nonsense"}, {"actor": "nobody-here"}])
    def test_a_name_that_nobody_has_is_said(self, cast: Cast, story: UUID, query: dict[str, str]) -> None:
        page = search(sign_in(cast.bob), **query)
        assert "no id and no username that is known" in text_of(page)
        assert page.context["found"].entries == []

    @pytest.mark.parametrize("word", ["'; DROP TABLE ledger_entry; --", "%", "a' OR '1'='1"])
    def test_words_are_values_and_never_sql(self, cast: Cast, story: UUID, word: str) -> None:
        assert search(sign_in(cast.bob), kind=word, stream_kind=word).context["found"].entries == []

    def test_the_steps_of_runs_are_found_through_their_stream_only(self, cast: Cast, story: UUID) -> None:
        write(story, "identity", Draft("step.decided", NOON, {"step": 1}))
        client = sign_in(cast.bob)
        assert all(entry.kind != "step.decided" for entry in search(client).context["found"].entries)
        found = search(client, stream=str(story), kind="step.decided").context["found"].entries
        assert [entry.seq for entry in found] == [3]

    def test_it_looks_back_as_far_as_asked(self, cast: Cast, story: UUID) -> None:
        long_ago = Draft("agent.created", datetime(2020, 1, 1, tzinfo=UTC))
        write(story, "identity", long_ago)
        client = sign_in(cast.bob)
        for days, found in (("", False), ("x", False), ("0", False), ("30000", True), ("9" * 30, True)):
            kinds = {entry.kind for entry in search(client, days=days).context["found"].entries}
            assert ("agent.created" in kinds) is found, days

    def test_a_search_that_takes_too_long_is_given_up(
        self, cast: Cast, story: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ledger_search, "LONGEST_SEARCH", "20ms")
        monkeypatch.setattr(ledger_search, "_conditions", lambda query: (["pg_sleep(60) IS NULL"], []))
        page = search(sign_in(cast.bob))
        assert "took longer than 20ms" in text_of(page)
        assert page.status_code == 200


class TestWhoMayRead:
    def test_members_read_the_streams_of_what_they_see(self, cast: Cast, story: UUID) -> None:
        page = search(sign_in(cast.bob)).content.decode()
        assert str(story) in page
        assert str(cast.other_team.pk) not in page

    def test_an_outsider_reads_and_verifies_nothing(self, cast: Cast, story: UUID) -> None:
        client = sign_in(cast.charlie)
        for path in (stream_page(story), entry_page(story, 1)):
            assert client.get(path)["Location"] == "/admin/"
        verified = client.post(reverse("admin:ledger_stream_verify", args=[story]), follow=True)
        assert "Verified" not in text_of(verified)

    def test_an_auditor_reads_everything(self, cast: Cast, story: UUID) -> None:
        cast.charlie.user_permissions.add(Permission.objects.get(codename="view_entry"))
        client = sign_in(cast.charlie)
        assert client.get(stream_page(story)).status_code == 200
        assert str(story) in search(client).content.decode()

    def test_a_kind_of_stream_that_no_app_answers_for_is_for_auditors(self, cast: Cast) -> None:
        stream = new_id()
        write(stream, "unheard-of", Draft("something.happened", NOON))
        assert sign_in(cast.bob).get(stream_page(stream)).status_code == 302
        assert sign_in(cast.ada).get(stream_page(stream)).status_code == 200


class TestEntry:
    def test_it_shows_facts_words_and_proof(self, cast: Cast, story: UUID) -> None:
        page = text_of(sign_in(cast.bob).get(entry_page(story, 1)))
        proof = read_entry(story, 1)
        assert proof is not None
        for words in (
            "Entry 1: agent.suspended unaltered",
            "By alice",
            "before active",
            "An audit.",
            proof.hash,
        ):
            assert words in page

    def test_its_words_stay_text(self, cast: Cast, story: UUID) -> None:
        client = sign_in(cast.bob)
        for path in (entry_page(story, 1), stream_page(story)):
            page = client.get(path).content.decode()
            assert "&lt;script&gt;" in page
            assert SCRIPT not in page

    def test_erased_words_are_said_to_be_erased_and_the_proof_holds(self, cast: Cast, story: UUID) -> None:
        with connection.cursor() as cursor:
            erase_contents(cursor, story)
        page = text_of(sign_in(cast.bob).get(entry_page(story, 1)))
        assert "Erased. The chain still proves" in page
        assert "unaltered" in page
        assert "An audit" not in page

    @pytest.mark.parametrize("seq", [0, 3, 2_000_000])
    def test_an_entry_that_is_not_there_leads_back(self, cast: Cast, story: UUID, seq: int) -> None:
        assert sign_in(cast.bob).get(entry_page(story, seq)).status_code == 302


class TestStream:
    def test_it_pages_back_from_the_newest(self, cast: Cast) -> None:
        drafts = [Draft("tool.noted", NOON, {"number": n}) for n in range(ENTRIES_PER_PAGE + 3)]
        write(cast.agent.pk, "identity", *drafts)
        client = sign_in(cast.bob)
        newest = client.get(stream_page(cast.agent.pk))
        assert [e.seq for e in newest.context["entries"]] == list(range(ENTRIES_PER_PAGE + 3, 3, -1))
        older = client.get(f"{stream_page(cast.agent.pk)}?before={newest.context['older']}")
        assert [e.seq for e in older.context["entries"]] == [3, 2, 1]
        assert older.context["older"] is None

    @pytest.mark.parametrize("before", ["x", "-1", "0", "99999999999999"])
    def test_a_page_that_is_not_there_breaks_nothing(self, cast: Cast, story: UUID, before: str) -> None:
        assert sign_in(cast.bob).get(f"{stream_page(story)}?before={before}").status_code == 200

    def test_it_costs_the_same_however_long_it_is(self, cast: Cast, story: UUID) -> None:
        client, path = sign_in(cast.bob), stream_page(story)
        short = count_queries(client, path)
        write(story, "identity", *[Draft("tool.noted", NOON, actor=cast.bob.pk) for _ in range(40)])
        assert count_queries(client, path) == short


def tamper(stream: UUID) -> None:
    """Change an entry as only the owner of the database can, with the guards off."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
        owner.execute(
            'UPDATE ledger_entry SET facts = \'{"before": "draft"}\' WHERE stream = %s AND seq = 1', [stream]
        )
        owner.execute("ALTER TABLE ledger_entry ENABLE TRIGGER USER")


@pytest.mark.django_db(transaction=True)
class TestVerification:
    def test_an_unaltered_stream_is_said_to_be_so(self, cast: Cast, story: UUID) -> None:
        page = sign_in(cast.bob).post(reverse("admin:ledger_stream_verify", args=[story]), follow=True)
        assert "Verified: 2 entries in 1 stream, none altered." in text_of(page)

    def test_an_altered_entry_is_named(self, cast: Cast, story: UUID) -> None:
        tamper(story)
        client = sign_in(cast.bob)
        page = client.post(reverse("admin:ledger_stream_verify", args=[story]), follow=True)
        assert f"Stream {story}, entry 1: edited" in text_of(page)
        assert "Entry 1: agent.suspended altered" in text_of(client.get(entry_page(story, 1)))
        assert "unaltered" in text_of(client.get(entry_page(story, 2)))

    def test_verifying_all_is_limited_to_what_one_may_read_and_to_the_newest(
        self, cast: Cast, story: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = sign_in(cast.bob).post(reverse("admin:ledger_verify"), follow=True)
        readable = streams_visible_to(cast.bob).count()
        assert f"entries in {readable} streams, none altered" in text_of(page)
        assert readable < Stream.objects.count()
        monkeypatch.setattr(ledger_admin, "MOST_VERIFIED", 1)
        page = sign_in(cast.ada).post(reverse("admin:ledger_verify"), follow=True)
        assert "These are the newest 1 streams" in text_of(page)

    @pytest.mark.parametrize("name", ["ledger_verify", "ledger_stream_verify"])
    def test_verifying_is_a_post(self, cast: Cast, story: UUID, name: str) -> None:
        path = reverse(f"admin:{name}", args=[story] if "stream" in name else [])
        assert sign_in(cast.bob).get(path).status_code == 405


CHECKPOINTS = "/admin/ledger/stream/checkpoints/"


@pytest.fixture
def signed(cast: Cast, story: UUID) -> Client:
    """Two checkpoints, and an auditor who looks at them."""
    take_checkpoint(now=timezone.now())
    write(story, "identity", Draft("tool.noted", NOON))
    take_checkpoint(now=timezone.now())
    cast.charlie.user_permissions.add(Permission.objects.get(codename="view_entry"))
    return sign_in(cast.charlie)


class TestCheckpoints:
    def test_they_are_listed_the_newest_first_with_when_up_to_where_and_by_which_key(
        self, signed: Client, story: UUID
    ) -> None:
        page = signed.get(CHECKPOINTS)
        listed = page.context["checkpoints"]
        assert [each.row.number for each in listed] == [2, 1]
        assert (listed[0].stream, listed[0].seq) == (story, 3)
        assert [each.problem for each in listed] == ["", ""]
        for words in (
            "up to entry 3",
            listed[0].digest,
            listed[0].key[:16],
            "ours, and follows the one before",
        ):
            assert words in text_of(page)

    @pytest.mark.parametrize("who", ["bob", "dave"])
    def test_who_may_not_read_the_whole_ledger_sees_and_verifies_none(
        self, cast: Cast, signed: Client, who: str
    ) -> None:
        client = sign_in(getattr(cast, who, cast.bob))
        assert client.get(CHECKPOINTS).status_code == 403
        assert client.post(reverse("admin:ledger_checkpoint_verify", args=[1])).status_code == 403
        assert CHECKPOINTS not in search(client).content.decode()
        assert CHECKPOINTS in search(signed).content.decode()

    def test_it_takes_few_statements_however_many_there_are(
        self, signed: Client, story: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few = count_queries(signed, CHECKPOINTS)
        for _ in range(5):
            write(story, "identity", Draft("tool.noted", NOON))
            take_checkpoint(now=timezone.now())
        assert count_queries(signed, CHECKPOINTS) == few <= 30
        monkeypatch.setattr(ledger_signed, "PER_PAGE", 3)
        page = signed.get(CHECKPOINTS)
        assert [each.row.number for each in page.context["checkpoints"]] == [7, 6, 5]
        older = signed.get(f"{CHECKPOINTS}?before={page.context['older']}").context["checkpoints"]
        assert [each.row.number for each in older] == [4, 3, 2]

    @pytest.mark.parametrize("before", ["x", "-1", "0", "9" * 40, "²"])
    def test_a_page_that_is_not_there_breaks_nothing(self, signed: Client, before: str) -> None:
        assert signed.get(CHECKPOINTS, {"before": before}).status_code == 200

    def test_verifying_one_is_a_post_and_says_what_it_found(self, signed: Client) -> None:
        path = reverse("admin:ledger_checkpoint_verify", args=[1])
        assert signed.get(path).status_code == 405
        assert "Checkpoint 1: what it signed is there" in text_of(signed.post(path, follow=True))
        gone = signed.post(reverse("admin:ledger_checkpoint_verify", args=[9]), follow=True)
        assert "there is no checkpoint 9" in text_of(gone)


@pytest.mark.django_db(transaction=True)
class TestForgedCheckpoints:
    def test_a_forged_one_is_named(self, signed: Client) -> None:
        with as_owner() as owner:
            owner.execute("UPDATE ledger_checkpoint SET root = prev_digest WHERE number = 1")
        page = signed.get(CHECKPOINTS)
        assert [each.problem for each in page.context["checkpoints"]] == [
            "does not follow the one before it",
            "is not what was signed",
        ]
        found = signed.post(reverse("admin:ledger_checkpoint_verify", args=[1]), follow=True)
        assert "checkpoint 1 does not fit its heads" in text_of(found)

    def test_an_entry_that_was_written_anew_is_named(self, signed: Client, story: UUID) -> None:
        with as_owner() as owner:
            owner.execute(
                "UPDATE ledger_entry SET hash = decode(repeat('ab', 32), 'hex') WHERE stream = %s AND seq = 2",
                [story],
            )
        found = signed.post(reverse("admin:ledger_checkpoint_verify", args=[1]), follow=True)
        assert f"Stream {story}, entry 2: rewritten" in text_of(found)
