"""Decisions that come too late, twice, about something else or from somebody else: refused, with what to do next."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from django.utils import timezone

from approvals import services
from approvals.admin import editing
from approvals.models import ApprovalDecision, ApprovalRequest
from approvals.services import expire_requests, void_request
from tests.approvals.test_admin import MODEL, decide, show, state_of
from tests.approvals.test_deputies import away
from tests.console.visits import page_of, sign_in, text_of
from tests.runs.company import Company, proposes, says
from tests.runs.previews import change_account, show_refunds, turns

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.console, pytest.mark.slow]


def deny(waiting: ApprovalRequest, fiona: Client) -> None:
    decide(fiona, waiting, verdict="deny", reason="No photo.")


def withdraw(waiting: ApprovalRequest, fiona: Client) -> None:
    with transaction.atomic():
        assert void_request(waiting.pk, code="run_cancelled", now=timezone.now())


def let_expire(waiting: ApprovalRequest, fiona: Client) -> None:
    assert expire_requests(now=waiting.expires_at) == 1


def ask_back(waiting: ApprovalRequest, fiona: Client) -> None:
    decide(fiona, waiting, verdict="ask", reason="Is it theirs?")


@pytest.mark.parametrize(
    ("happens", "words"),
    [
        (deny, ("This request is denied", "fiona denied this")),
        (withdraw, ("This request was withdrawn; if it is still wanted, people are asked anew", "has ended")),
        (let_expire, ("Nobody answered in time; if the agent still needs it, it asks anew", "was told so")),
        (ask_back, ("Somebody has asked the agent about it", "may answer it with a new request")),
    ],
)
@pytest.mark.parametrize("htmx", [True, False], ids=["in place", "without scripts"])
def test_what_is_over_is_not_decided_and_says_what_counts(
    company: Company,
    waiting: ApprovalRequest,
    happens: Callable[..., None],
    words: tuple[str, ...],
    htmx: bool,
) -> None:
    fiona = sign_in(company.cast.fiona)
    happens(waiting, fiona)
    before = state_of(waiting)
    answer = decide(fiona, waiting, htmx=htmx)
    assert (answer.status_code, state_of(waiting)) == (409, before)
    for told in (*words, "nothing was changed", "Your decision was not recorded; what counts stands below."):
        assert told in text_of(answer)
    assert "data-verdict" not in answer.content.decode()


def test_what_nobody_has_closed_yet_is_too_late_all_the_same(
    company: Company, waiting: ApprovalRequest
) -> None:
    with time_machine.travel(waiting.expires_at, tick=False):
        answer = decide(sign_in(company.cast.fiona), waiting)
    assert (answer.status_code, state_of(waiting)) == (409, "waiting")
    assert "Nobody answered in time; if the agent still needs it, it asks anew" in text_of(answer)
    assert "See what waits now" in text_of(answer)
    assert "then decide" not in text_of(answer)  # there is nothing more to decide


def test_a_page_of_a_call_that_has_changed_leads_to_the_request_that_counts(company: Company) -> None:
    """It was void because of what the target had become; the old page still holds the old digest."""
    show_refunds(company)
    first, second = turns()
    run = company.run(first, first, second, message="Please refund A-1.")
    old, fiona = ApprovalRequest.objects.get(), sign_in(company.cast.fiona)
    change_account(refunded="2.00")
    decide(fiona, old)
    company.drive(run)
    new = ApprovalRequest.objects.get(state="waiting")
    answer = decide(fiona, old)
    assert (answer.status_code, state_of(new)) == (409, "waiting")
    assert page_of(MODEL, "change", new.pk) in show(fiona, old).content.decode()
    assert "People were asked anew: the request that counts" in text_of(show(fiona, old))
    refused = decide(fiona, new, digest=old.digest)  # the old digest decides nothing about the new request
    assert (refused.status_code, state_of(new)) == (409, "waiting")
    assert "The call has changed since you loaded it" in text_of(refused)


def test_a_deputy_of_the_requester_is_told_to_ask_a_colleague(
    company: Company, waiting: ApprovalRequest
) -> None:
    fiona = company.cast.fiona
    company.let_decide(waiting.tool, company.cast.alice)
    away(company.cast.alice, fiona)  # Alice owns the agent
    client = sign_in(fiona)
    words = "you are the deputy of alice, who has a part in this; ask a colleague"
    assert f"You cannot decide this one: {words}." in text_of(show(client, waiting))
    answer = decide(client, waiting)
    assert (answer.status_code, state_of(waiting)) == (403, "waiting")
    assert words in text_of(answer)


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("ada", "you were not given this tool's calls to approve: leave it to who was"),
        ("bob", "you were not given this tool's calls to approve: leave it to who was"),
        ("alice", "the agent's owner does not approve its calls; ask a colleague"),
    ],
)
def test_what_is_not_yours_says_whose_it_is(
    company: Company, waiting: ApprovalRequest, who: str, words: str
) -> None:
    """On the page, and to who sends the form all the same; the page leads to those whose it is."""
    company.let_decide(waiting.tool, company.cast.alice)
    client = sign_in(getattr(company.cast, who))
    page = show(client, waiting)
    assert f"You cannot decide this one: {words}." in text_of(page)
    assert page_of("tools_tool", "change", waiting.tool_id) + "#approvers" in page.content.decode()
    answer = decide(client, waiting)
    assert (answer.status_code, state_of(waiting)) == (403, "waiting")
    assert words in text_of(answer)


@pytest.mark.parametrize("forged", ["digest", "edited"])
def test_a_forged_digest_edits_nothing_and_leads_back_to_the_request(
    company: Company, waiting: ApprovalRequest, forged: str
) -> None:
    client, path = sign_in(company.cast.fiona), page_of(MODEL, "edit", waiting.pk)
    raw = json.dumps({"order_id": "A-2"})
    seen = client.post(path, {"digest": waiting.digest, "step": "look", "raw": raw}).content.decode()
    names = ("digest", "edited", "arguments")
    form = {name: html.unescape(seen.split(f'name="{name}" value="')[1].split('"')[0]) for name in names}
    answer = client.post(path, {**form, "step": "have", forged: "0" * 64})
    assert (answer.status_code, state_of(waiting)) == (409, "waiting")
    assert "Nothing was changed." in text_of(answer)
    assert "Look at the request again" in text_of(answer)
    assert client.post(path, {**form, "step": "have"}).status_code == 302  # just this was wrong with it


def test_a_megabyte_that_an_agent_proposes_asks_nobody(company: Company) -> None:
    """It is refused before it is put before people, and the run's page says so without showing all of it."""
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    run = company.run(proposes(("refund", {"order_id": "x" * 1_000_000})), says("Sorry."))
    assert (run.state, ApprovalRequest.objects.exists()) == ("completed", False)
    page = sign_in(company.cast.ada).get(page_of("runs_run", "change", run.pk))
    assert "refund: refused, malformed arguments longer than 262144 bytes" in text_of(page)
    assert "more characters; the ledger has them all" in text_of(page)
    assert len(page.content) < 60_000


def test_a_megabyte_is_refused_where_a_call_is_edited(company: Company, waiting: ApprovalRequest) -> None:
    client, path = sign_in(company.cast.fiona), page_of(MODEL, "edit", waiting.pk)
    for size, status, words in ((900_000, 422, "write less"), (1_100_000, 400, "send less")):
        raw = json.dumps({"order_id": "x" * size})
        answer = client.post(path, {"digest": waiting.digest, "step": "look", "raw": raw})
        assert (answer.status_code, words in text_of(answer)) == (status, True), text_of(answer)[:500]
    assert state_of(waiting) == "waiting"


@pytest.mark.parametrize("step", ["look", "have"])
@pytest.mark.parametrize("field", ["raw", "arguments"])
@pytest.mark.parametrize(
    "text",
    [
        '{"order_id": "A-\\u0000"}', '{"order_id": "\\ud800"}', '{"order_id": NaN}', '{"order_id": 1e999}',
        '{"order_id": "A-2", "order_id": "A-3"}', "[" * 5_000, '{"order_id": ' + "9" * 5_000 + "}", "null", "[]",
    ],
    ids=["NUL", "half a pair", "NaN", "infinite", "twice", "deep", "digits", "null", "list"],
)  # fmt: skip
def test_arguments_that_are_no_json_of_ours_are_refused_where_a_call_is_edited(
    company: Company, waiting: ApprovalRequest, text: str, field: str, step: str
) -> None:
    """In the field of the form, and in the one that the page fills in itself, which anybody may fill in otherwise."""
    client, path = sign_in(company.cast.fiona), page_of(MODEL, "edit", waiting.pk)
    form = {"digest": waiting.digest, "step": step, field: text, "edited": "0" * 64}
    answer = client.post(path, form)
    assert answer.status_code in (409, 422), text_of(answer)[:500]
    assert state_of(waiting) == "waiting"


def test_mutant_that_reads_them_as_python_does_breaks_on_half_a_pair(
    company: Company, waiting: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "decode_json", lambda text, **_: json.loads(text))
    form = {"digest": waiting.digest, "step": "look", "arguments": '{"order_id": "\\ud800"}'}
    with pytest.raises(UnicodeError):
        sign_in(company.cast.fiona).post(page_of(MODEL, "edit", waiting.pk), form)


@pytest.mark.parametrize("name", ["reason", "digest", "verdict", "preset"])
def test_a_megabyte_in_any_field_of_a_decision_decides_nothing(
    company: Company, waiting: ApprovalRequest, name: str
) -> None:
    form: dict[str, Any] = {"verdict": "deny", name: "9" * 900_000}
    answer = decide(sign_in(company.cast.fiona), waiting, **form)
    assert answer.status_code in (404, 409, 422)
    assert state_of(waiting) == "waiting"


def test_mutant_that_does_not_look_whether_it_is_open_decides_again(
    company: Company, waiting: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the database is left, which holds that what is decided stays so."""
    fiona = sign_in(company.cast.fiona)
    deny(waiting, fiona)
    monkeypatch.setattr(services, "check_open", lambda *_: None)
    fiona.raise_request_exception = False
    assert decide(fiona, waiting).status_code != 409
    assert ApprovalDecision.objects.count() == 1
