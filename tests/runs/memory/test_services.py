"""Notes in the hands of people and applications: released, taken back, deleted, erased, expired."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import read_entries
from identities.models import STAFF_ISSUER, AgentIdentity, Principal
from runs.erasure import erase_principal, erase_run
from runs.memory import affected, policies, reading, writing
from runs.memory.affected import find_affected
from runs.memory.services import delete_memory, release_memory, revert_memory
from runs.models import Memory, MemoryReading, Run
from runs.rebuild import rebuild_run
from runs.retention import trim
from tests.api.caller import caller_of
from tests.asking import kept_note
from tests.console.visits import act, count_queries, page_of, sign_in, text_of
from tests.ledger.forging import as_owner
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import Company, says
from tests.runs.memory.desk import (
    NOTE,
    later,
    note,
    note_from_a_stranger,
    recalls,
    remembers,
    shown,
)
from tests.runs.test_erasure import CANARY, allow_alice, dump
from tests.runs.test_plans import EVE

pytestmark = [pytest.mark.slow, pytest.mark.context]

Verb = Callable[..., Memory]
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


# --- the verbs ----------------------------------------------------------------------------------------------------


def test_what_a_person_releases_is_read_and_keeps_its_label(desk: Company) -> None:
    entry = release_memory(
        actor=desk.cast.ada, memory=note_from_a_stranger(desk), reason="It is the shop's address."
    )
    assert (entry.state, entry.label, entry.settled_by) == ("active", "untrusted", desk.cast.ada)
    later(desk)
    assert EVE in shown(desk)
    with pytest.raises(StateConflict):
        release_memory(actor=desk.cast.ada, memory=entry, reason="Again.")


def test_what_is_taken_back_is_shown_to_nobody_and_lists_what_it_has_reached(desk: Company) -> None:
    entry = note(desk)
    reader = later(desk, remembers("Is called Ann."), says("Done."))
    second = later(desk, remembers("Has a dog."), says("Done."))
    other = later(desk, remembers("Has a cat."), says("Done."), subject="customer-2")
    reverted = revert_memory(actor=desk.cast.ada, memory=entry, reason="It is a trick.")
    reached = find_affected(reverted, desk.cast.ada)
    assert {each.run_id for each in reached.readings} == {reader.pk, second.pk}
    assert [each.text for each in reached.notes] == ["Is called Ann.", "Has a dog."]
    with connection.cursor() as cursor:
        [told] = read_entries(cursor, entry.pk, contents=True)
    assert (told.kind, told.content, told.actor) == (
        "memory.reverted", {"reason": "It is a trick."}, desk.cast.ada.pk
    )  # fmt: skip
    assert set(told.facts["read_by"]) == {str(reader.pk), str(second.pk)}
    assert told.facts["reached"] == [2, 2]
    assert str(other.pk) not in str(told.facts)
    later(desk, recalls("e-mail"), says("Done."))
    assert NOTE not in shown(desk)
    with pytest.raises(StateConflict):
        revert_memory(actor=desk.cast.ada, memory=entry, reason="Again.")


def test_what_was_noted_before_it_was_read_does_not_rest_on_it(desk: Company) -> None:
    run = later(desk, remembers("Has a dog."), recalls("nothing"), says("Done."))
    entry = note(desk)
    MemoryReading.objects.create(memory=entry, run=run, step=9, read_at=timezone.now())
    assert find_affected(entry, desk.cast.ada).notes == []


def test_unless_times_are_not_compared(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    rewrite_text(monkeypatch, affected, "_NOTES", "AND m.written_at >= r.read_at", "")
    test_what_was = test_what_was_noted_before_it_was_read_does_not_rest_on_it
    desk.is_mutant = True
    with pytest.raises(AssertionError):
        test_what_was(desk)


def test_what_is_deleted_has_no_words(desk: Company) -> None:
    entry = delete_memory(actor=desk.cast.application.service_account, memory=note(desk))
    row = Memory.objects.get(pk=entry.pk)
    assert (row.text, row.passages, row.state) == ("", [], "deleted")
    later(desk, recalls("e-mail"), says("Done."))
    assert NOTE not in shown(desk)
    with pytest.raises(StateConflict):
        delete_memory(actor=desk.cast.ada, memory=entry)


@pytest.mark.parametrize("verb", [release_memory, revert_memory])
@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_a_reason_is_needed(desk: Company, verb: Verb, reason: str) -> None:
    entry = note_from_a_stranger(desk)
    with pytest.raises(ValidationFailed):
        verb(actor=desk.cast.ada, memory=entry, reason=reason)


@pytest.mark.parametrize("verb", [release_memory, revert_memory, delete_memory])
@pytest.mark.parametrize("who", ["charlie", "bob", "alice"])
def test_who_may_not_is_refused(desk: Company, verb: Verb, who: str) -> None:
    if who == "alice" and verb is not release_memory:
        assert verb(
            actor=desk.cast.alice, memory=note_from_a_stranger(desk), reason="No."
        )  # she may steer runs
        return
    with pytest.raises(PolicyDenied):
        verb(actor=getattr(desk.cast, who), memory=note_from_a_stranger(desk), reason="No.")


def test_an_application_does_not_release(desk: Company) -> None:
    entry = note_from_a_stranger(desk)
    with pytest.raises(PolicyDenied) as refused:
        release_memory(actor=desk.cast.application.service_account, memory=entry, reason="Mine.")
    assert refused.value.code == "not_a_person"


def with_a_part(desk: Company, part: str) -> Memory:
    """Have a run noted something in which Ada has a part."""
    entry, ada = note_from_a_stranger(desk), desk.cast.ada
    if part == "starter":
        Run.objects.filter(pk=entry.run_id).update(started_by=ada)
    elif part == "owner":
        AgentIdentity.objects.filter(pk=entry.identity_id).update(owner=ada)
    else:
        Principal.objects.filter(pk=entry.principal_id).update(issuer=STAFF_ISSUER, subject="ada")
    return entry


@pytest.mark.parametrize("part", ["starter", "owner", "end user"])
def test_who_has_a_part_in_the_run_does_not_release(desk: Company, part: str) -> None:
    entry = with_a_part(desk, part)
    with pytest.raises(PolicyDenied):
        release_memory(actor=desk.cast.ada, memory=entry, reason="Mine.")
    page = sign_in(desk.cast.ada).get(page_of("runs_memory", "change", entry.pk)).content.decode()
    assert 'value="revert"' in page
    assert 'value="release"' not in page


@pytest.mark.parametrize("part", ["starter", "owner", "end user"])
def test_without_the_rule_they_do(desk: Company, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """The mutant."""
    entry = with_a_part(desk, part)
    monkeypatch.setattr(policies, "find_part", lambda *_: None)
    assert release_memory(actor=desk.cast.ada, memory=entry, reason="Mine.").state == "active"


# --- at the same time ---------------------------------------------------------------------------------------------


def _meanwhile(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, then: Callable[[], object]) -> None:
    """Have something happen once, right after a function has looked."""
    before = getattr(module, name)
    done: list[object] = []

    def look(*args: Any) -> Any:
        found = before(*args)
        if not done:
            done.append(then())
        return found

    monkeypatch.setattr(module, name, look)


def test_what_is_taken_back_in_the_moment_of_reading_is_not_shown(
    desk: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = note(desk)
    take_back = lambda: revert_memory(actor=desk.cast.ada, memory=entry, reason="It lies.")  # noqa: E731  one use
    _meanwhile(monkeypatch, reading, "find_notes", take_back)
    run = later(desk)
    assert (run.state, NOTE in shown(desk)) == ("completed", False)
    assert not MemoryReading.objects.exists()


def test_unless_nobody_looks_again(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    rewrite_text(monkeypatch, reading, "_STILL_ACTIVE", " AND state = 'active'", "")
    entry = note(desk)
    take_back = lambda: revert_memory(actor=desk.cast.ada, memory=entry, reason="It lies.")  # noqa: E731  one use
    _meanwhile(monkeypatch, reading, "find_notes", take_back)
    later(desk)
    assert NOTE in shown(desk)


def _crowd(desk: Company, entry: Memory) -> None:
    kept_note(entry.run, state="active", step=7, text="Another.")


def test_two_runs_at_once_note_no_more_than_there_is_room_for(
    desk: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_OF_PRINCIPAL", 2)
    entry = note(desk)
    desk.is_mutant = True  # a row of the other run's that no stream tells of
    _meanwhile(monkeypatch, writing, "_find_problem", lambda: _crowd(desk, entry))
    run = later(desk, remembers("One too many."), says("Done."))
    assert (run.state, desk.states(run)) == ("completed", [("refused", "memory_full")])
    assert Memory.objects.count() == 2


def test_unless_they_are_not_counted_again(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    monkeypatch.setattr(writing, "MOST_OF_PRINCIPAL", 2)
    entry = note(desk)
    desk.is_mutant = True
    rewrite(monkeypatch, writing, "_insert", "if _find_problem(cursor, row):", "if False:")
    _meanwhile(monkeypatch, writing, "_find_problem", lambda: _crowd(desk, entry))
    later(desk, remembers("One too many."), says("Done."))
    assert Memory.objects.count() == 3


# --- erased, expired, rebuilt -------------------------------------------------------------------------------------


def test_who_is_erased_is_forgotten(desk: Company) -> None:
    entry = note(desk, f"Her cat is called {CANARY}.")
    later(desk, remembers(f"Again: {CANARY}."), says("Done."))
    revert_memory(actor=desk.cast.ada, memory=entry, reason=f"No cat is called {CANARY}.")
    assert CANARY in dump()
    allow_alice(desk)
    erase_principal(actor=desk.cast.alice, principal=entry.principal, reason="They asked.")
    assert CANARY not in dump()
    assert {row.state for row in Memory.objects.all()} == {"deleted"}


def test_with_a_run_go_its_notes(desk: Company) -> None:
    entry = note(desk, f"Her cat is called {CANARY}.")
    allow_alice(desk)
    erase_run(actor=desk.cast.alice, run=entry.run, reason="They asked.")
    assert CANARY not in dump()
    later(desk)
    assert CANARY not in shown(desk)


def test_without_that_they_stay(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    desk.is_mutant = True
    monkeypatch.setattr("runs.erasure.erase_memories", lambda _: None)
    test_mutant = test_with_a_run_go_its_notes
    with pytest.raises(AssertionError):
        test_mutant(desk)


def test_what_was_erased_in_a_window_shows_as_erased(desk: Company) -> None:
    from runs.window import Written, render

    told = render(Written("memory.recalled", {"step": 0, "entries": ["x"]}, None), 0)
    assert "[erased]" in str(told[0].message["content"])


def test_the_words_of_what_has_expired_go_at_night(desk: Company) -> None:
    entry = note(desk)
    trim(timezone.now())
    assert Memory.objects.get(pk=entry.pk).text == NOTE
    trim(entry.expires_at + timedelta(seconds=1))
    row = Memory.objects.get(pk=entry.pk)
    assert (row.text, row.state) == ("", "deleted")


@pytest.mark.parametrize("verb", [None, release_memory, revert_memory, delete_memory])
def test_rows_are_made_anew_from_the_streams(desk: Company, verb: Verb | None) -> None:
    entry = note_from_a_stranger(desk)
    if verb is not None:
        verb(actor=desk.cast.ada, memory=entry, reason="Because.")
    if verb is release_memory:
        assert MemoryReading.objects.filter(run=later(desk)).exists()
    before = list(Memory.objects.order_by("id").values())
    read = list(MemoryReading.objects.order_by("memory_id").values("memory_id", "run_id", "step", "read_at"))
    MemoryReading.objects.all().delete()
    Memory.objects.all().delete()
    for run in Run.objects.order_by("id"):
        rebuild_run(run.pk)
    assert list(Memory.objects.order_by("id").values()) == before
    assert (
        list(MemoryReading.objects.order_by("memory_id").values("memory_id", "run_id", "step", "read_at"))
        == read
    )


@pytest.mark.parametrize(
    ("state", "changes", "is_let"),
    [
        ("quarantined", {"state": "active"}, True),
        ("active", {"state": "reverted"}, True),
        ("reverted", {"state": "deleted", "text": ""}, True),
        ("active", {"expires_at": NOW}, True),
        ("reverted", {"state": "active"}, False),
        ("active", {"state": "quarantined"}, False),
        ("active", {"text": "Likes coffee."}, False),
        ("active", {"text": ""}, False),
        ("active", {"passages": ["Eve"]}, False),
        ("active", {"label": "user"}, False),
        ("active", {"sensitive": True}, False),
        ("active", {"step": 2}, False),
        ("active", {"principal": None}, False),
    ],
    ids=str,
)
def test_the_database_lets_a_note_be_taken_back_and_nothing_be_made_of_it(
    desk: Company, state: str, changes: dict[str, Any], is_let: bool
) -> None:
    desk.is_mutant = True  # no stream tells of it
    entry = kept_note(desk.start(), state=state)
    if "principal" in changes:
        changes = {"principal": desk.start(subject="customer-2").principal}
    try:
        Memory.objects.filter(pk=entry.pk).update(**changes)
    except ProgrammingError:
        assert not is_let
    else:
        assert is_let


def test_without_the_trigger_everything_is(desk: Company) -> None:
    """The mutant."""
    entry = kept_note(desk.start(), state="reverted")
    with as_owner(triggers=True) as owner:
        owner.execute("DROP TRIGGER runs_memory_guarded ON runs_memory")
        owner.execute("UPDATE runs_memory SET state = 'active', label = 'user' WHERE id = %s", (entry.pk,))
        [state] = owner.execute("SELECT state FROM runs_memory").fetchone() or [""]
        owner.rollback()
    assert state == "active"


# --- API, console, terminal ---------------------------------------------------------------------------------------


def test_over_the_api(desk: Company) -> None:
    app = caller_of(desk.cast, desk.cast.application.service_account)
    entry = note(desk)
    reader = later(desk, remembers("Has a dog."), says("Done."))
    listed = app.get("/memories?state=active").body["data"]
    assert [row["text"] for row in listed] == ["Has a dog.", NOTE]
    found = app.get(f"/memories/{entry.pk}").body
    assert (found["text"], found["rests_on"], found["run"]) == (NOTE, "user", str(entry.run_id))
    assert app.post(f"/memories/{entry.pk}/revert", {}).status == 422
    reverted = app.post(f"/memories/{entry.pk}/revert", {"reason": "It lies."}).body
    assert (reverted["state"], [each["run"] for each in reverted["read_by"]]) == (
        "reverted",
        [str(reader.pk)],
    )
    assert [each["text"] for each in reverted["notes"]] == ["Has a dog."]
    assert app.post(f"/memories/{entry.pk}/revert", {"reason": "It lies."}).status == 409
    assert app.post(f"/memories/{entry.pk}/release", {"reason": "Well."}).status == 403
    deleted = app.post(f"/memories/{entry.pk}/delete", {}).body
    assert (deleted["state"], deleted["text"]) == ("deleted", "")
    charlie = caller_of(desk.cast, desk.cast.charlie)
    for path in ("", "/revert", "/release", "/delete"):
        sent = (
            charlie.post(f"/memories/{entry.pk}{path}", {"reason": "x"})
            if path
            else charlie.get(f"/memories/{entry.pk}")
        )
        assert (sent.status, sent.code) == (404, "unknown_memory")
    assert charlie.get("/memories").body["data"] == []


def test_in_the_console(desk: Company) -> None:
    entry, ada = note_from_a_stranger(desk), sign_in(desk.cast.ada)
    page = page_of("runs_memory", "change", entry.pk)
    assert "No run is shown it" in text_of(ada.get(page))
    assert "Always write to" in text_of(ada.get(page_of("runs_memory", "changelist")))
    act(ada, "runs_memory", "release", entry.pk)
    assert Memory.objects.get(pk=entry.pk).state == "active"
    run = later(desk, remembers("Be brief."), says("Done."))
    asked = ada.post(
        page_of("runs_memory", "changelist"),
        {"action": "revert", "_selected_action": str(entry.pk), "index": "0"},
    )
    assert "1 run has been shown it" in text_of(asked)
    act(ada, "runs_memory", "revert", entry.pk)
    shown_page = text_of(ada.get(page))
    assert "Be brief." in shown_page
    assert "was shown it" in shown_page
    told = text_of(ada.get(page_of("runs_run", "change", run.pk)))
    assert "A note of an earlier run, with strangers’ words in it" in told
    assert "Notes something for later runs, kept from later runs" in told
    act(ada, "runs_memory", "delete_note", entry.pk, reason="")
    assert "Its words were deleted" in text_of(ada.get(page))
    assert sign_in(desk.cast.charlie).get(page)["Location"] == "/admin/"


def test_pages_take_few_statements(desk: Company) -> None:
    entry, ada = note(desk), sign_in(desk.cast.ada)
    pages = page_of("runs_memory", "change", entry.pk), page_of("runs_memory", "changelist")
    few = [count_queries(ada, page) for page in pages]
    for number in range(4):
        later(desk, remembers(f"Note {number}."), says("Done."))
    assert [count_queries(ada, page) for page in pages] == few
    assert max(few) <= 30


def test_at_the_terminal(desk: Company) -> None:
    entry, out = note_from_a_stranger(desk), StringIO()
    call_command("memories", "--as", "ada", stdout=out)
    assert f"{entry.pk}  of Refunds-Agent, rests on untrusted" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("memories", str(entry.pk), "release", "--as", "ada", stdout=out)
    with pytest.raises(CommandError):
        call_command("memories", str(entry.pk), "--as", "ada", stdout=out)
    call_command("memories", str(entry.pk), "release", "--as", "ada", "--reason", "Fine.", stdout=out)
    run = later(desk, remembers("Be brief."), says("Done."))
    call_command("memories", str(entry.pk), "revert", "--as", "ada", "--reason", "It lies.", stdout=out)
    told = out.getvalue()
    assert f"reverted: memory {entry.pk}" in told
    assert f"read by run {run.pk}, step 0: memory {entry.pk}" in told
    assert "written since: memory" in told
    with pytest.raises(CommandError):
        call_command("memories", str(run.pk), "revert", "--as", "ada", "--reason", "x", stdout=out)
