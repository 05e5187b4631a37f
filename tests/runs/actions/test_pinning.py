"""Calls that are bound to what people were shown of their target, through the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from agentops.errors import Permanent, StateConflict
from approvals.models import ApprovalRequest
from approvals.services import decide, read_evidence
from runs.actions import executing, pinning
from runs.erasure import erase_run
from runs.lookups import previewing
from runs.models import Run
from runs.preflight.versions import check_version
from runs.services import add_message
from runs.session import Session
from runs.trace import read_trace
from runs.undoing.services import undo_run
from tests.factories import AgentVersionFactory
from tests.ledger import last_entry
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import ACCOUNT, WORLD, busy, lose_reply, meanwhile
from tests.runs.previews import BEFORE, PREVIEW, REFUND, STATUS, change_account, show_refunds, turns
from tests.runs.test_driver import crash, drive_and_crash
from tests.runs.test_edits import edit
from tools.models import Tool

pytestmark = [pytest.mark.approvals, pytest.mark.slow]


@pytest.fixture
def waiting(company: Company) -> Run:
    """Return a run whose refund waits for a person who has been shown what it changes."""
    show_refunds(company)
    run = company.run(*turns())
    assert company.states(run) == [("waiting", "")]
    return run


def present() -> ApprovalRequest:
    return ApprovalRequest.objects.get(state="waiting")


def shown(request: ApprovalRequest | None = None) -> dict[str, Any]:
    evidence = read_evidence(request or present())
    assert evidence is not None
    preview: dict[str, Any] = evidence["preview"]
    return preview


def refunds() -> int:
    return WORLD.attempts.count("refund")


# --- what people are shown ----------------------------------------------------------------------------------


def test_people_are_shown_what_a_call_changes_before_and_after(company: Company, waiting: Run) -> None:
    preview = shown()
    assert (preview["tool"], preview["changes"], "since" in preview) == ("read_account", BEFORE, False)
    [gated] = company.facts(waiting, "call.gated")
    assert set(gated["state"]) == {"pin", "shown"}
    assert not any(told in str(gated) for told in ("delivered", "5.00"))
    assert [(asked["tool"], asked["for"]) for asked in gated["lookups"]] == [("read_account", "preview")]
    assert gated["digest"] == present().digest
    assert company.content(waiting, "call.gated")["preview"]["changes"] == BEFORE


def test_what_was_shown_goes_out_once_it_is_approved(company: Company, waiting: Run) -> None:
    company.decide()
    run = company.drive(waiting)
    assert company.states(run) == [("succeeded", "ok")]
    assert WORLD.attempts == ["read_account", "read_account", "refund"]
    [started] = company.facts(run, "attempt.started")
    assert [asked["for"] for asked in started["lookups"]] == ["preview"]


def test_nothing_is_read_where_nobody_looks(company: Company) -> None:
    show_refunds(company, grant="ALLOW", effect="reversible")
    run = company.run(*turns())
    assert company.states(run) == [("succeeded", "ok")]
    assert WORLD.attempts == ["refund"]


def test_a_call_without_a_preview_is_asked_about_as_before(company: Company) -> None:
    show_refunds(company, preview=None)
    run = company.run(*turns())
    assert WORLD.attempts == []
    assert "preview" not in (read_evidence(present()) or {})
    company.decide()
    assert company.states(company.drive(run)) == [("succeeded", "ok")]


# --- what changes meanwhile ---------------------------------------------------------------------------------

CHANGED = {"refunded": "2.00"}


def test_what_has_changed_since_voids_the_approval_and_people_are_asked_anew(
    company: Company, waiting: Run
) -> None:
    first = company.decide()
    change_account(**CHANGED)
    run = company.drive(waiting)
    assert (company.states(run), refunds()) == ([("waiting", "")], 0)
    first.refresh_from_db()
    entry = last_entry(first.pk)
    assert (first.state, entry.kind, entry.facts["code"]) == ("voided", "approval.voided", "state_changed")
    again = present()
    assert again.digest != first.digest
    [since] = shown(again)["since"]["changes"]
    assert since["label"] == "Paid back"
    assert (since["then"]["before"], since["now"]["before"]) == ("0.00", "2.00")
    assert (since["then"]["after"], since["now"]["after"]) == ("5.00", "7.00")
    assert "anew" in " ".join(item.title for item in read_trace(run))
    company.decide()
    assert company.states(company.drive(run)) == [("succeeded", "ok")]
    assert refunds() == 1


def test_mutant_that_does_not_look_again_pays_what_nobody_saw(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    company.decide()
    change_account(**CHANGED)
    known = previewing.read_shown

    def remember(session: Any, assessment: Any, preview: Any) -> Any:
        then = known(session, session.state.call(1))
        assert then is not None
        return previewing.Previewed(then.state, tuple(then.rows or ()), {})

    monkeypatch.setattr(pinning, "read_preview", remember)
    assert company.states(company.drive(waiting)) == [("succeeded", "ok")]


def test_a_change_that_is_not_shown_voids_it_too(company: Company, waiting: Run) -> None:
    company.decide()
    change_account()
    run = company.drive(waiting)
    assert company.states(run) == [("waiting", "")]
    assert shown()["since"] == {"times": 1, "changes": []}


def test_a_decision_about_the_state_before_decides_nothing_after(company: Company, waiting: Run) -> None:
    first = company.decide()
    change_account(**CHANGED)
    company.drive(waiting)
    again = present()
    with pytest.raises(StateConflict) as refused:
        decide(
            actor=company.cast.fiona, request=again, verdict="approve", reason="", digest=first.digest,
            channel="api", second_factor=True,
        )  # fmt: skip
    assert refused.value.code == "digest_changed"


def test_a_target_that_never_rests_asks_people_no_more_than_so_often(company: Company, waiting: Run) -> None:
    run = waiting
    for times in range(1, previewing.MOST_ASKED_ANEW + 1):
        company.decide()
        change_account()
        run = company.drive(run)
        assert company.states(run) == [("waiting", "")]
        assert shown()["since"]["times"] == times
    company.decide()
    change_account()
    run = company.drive(run)
    assert (company.states(run), refunds()) == ([("refused", "state_changed")], 0)
    [told] = company.observations()
    assert "come to rest" in told["detail"]


def test_another_thing_that_changed_is_no_drift(company: Company, waiting: Run) -> None:
    company.decide()
    change_account()
    company.grant(company.versions[-1].tool, "REQUIRE_APPROVAL")
    run = company.drive(waiting)
    assert company.states(run) == [("refused", "approval_voided")]


def test_what_was_shown_before_may_have_been_erased() -> None:
    then = previewing.Shown({"pin": "a"}, None, 1)
    now = previewing.Previewed({"pin": "b"}, (), {})
    assert previewing.tell_since(then, now) == {"times": 2, "changes": None}


# --- retries and deaths ------------------------------------------------------------------------------------


def test_a_retry_is_not_looked_at_again(company: Company, waiting: Run) -> None:
    """The first attempt may have had its effect, and lost its reply."""
    company.decide()

    def act(do: Any) -> Any:
        change_account(refunded="5.00")
        return lose_reply(do)

    WORLD.mishaps.extend([lambda do: do(), act])
    run = company.drive(waiting)
    assert company.states(run) == [("succeeded", "ok")]
    assert WORLD.attempts == ["read_account", "read_account", "refund", "refund"]
    assert len(WORLD.effects) == 1


def test_a_retry_of_what_had_no_effect_is_covered(company: Company, waiting: Run) -> None:
    company.decide()
    WORLD.mishaps.extend([lambda do: do(), busy])
    assert company.states(company.drive(waiting)) == [("succeeded", "ok")]


@pytest.mark.parametrize("changes", [False, True])
def test_a_driver_that_dies_between_reading_and_starting_reads_again(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch, changes: bool
) -> None:
    company.decide()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "_commit_attempts", crash)
        drive_and_crash(company, waiting)
    assert refunds() == 0
    if changes:
        change_account()
    run = company.drive(waiting)
    assert company.states(run) == [("waiting", "") if changes else ("succeeded", "ok")]


def test_a_change_between_reading_and_starting_is_the_window_that_is_left(
    company: Company, waiting: Run
) -> None:
    """What happens after the last look, and before the tool acts, only the tool itself can refuse."""
    company.decide()
    WORLD.mishaps.extend([lambda do: do(), meanwhile(change_account)])
    assert company.states(company.drive(waiting)) == [("succeeded", "ok")]


# --- a preview that says nothing ----------------------------------------------------------------------------


def down(_: Any) -> Any:
    raise Permanent("down", "out of order")


def answers(**changes: Any) -> Any:
    return lambda do: {**do(), **changes}


def lacks(name: str) -> Any:
    return lambda do: {key: value for key, value in do().items() if key != name}


@pytest.mark.parametrize(
    "mishap",
    [
        down,
        lacks("version"),
        lacks("status"),
        answers(refunded=[]),
        answers(refunded="a lot"),
        answers(refunded="1e99"),
        answers(status="x" * 10_000),
        answers(status="delivered\u202e"),
        answers(version=None),
        lambda do: [],
    ],
)
def test_people_are_not_asked_with_half_a_preview(company: Company, mishap: Any) -> None:
    show_refunds(company)
    WORLD.mishaps.append(mishap)
    run = company.run(*turns())
    assert company.states(run) == [("refused", "preview_failed")]
    assert not ApprovalRequest.objects.exists()
    [told] = company.observations()
    assert "propose it again later" in told["detail"]
    assert "x" * 100 not in told["detail"]
    [refused] = company.facts(run, "call.refused")
    assert [asked["for"] for asked in refused["lookups"]] == ["preview"]


def test_an_approved_call_whose_preview_fails_does_not_run(company: Company, waiting: Run) -> None:
    company.decide()
    WORLD.mishaps.append(down)
    run = company.drive(waiting)
    assert (company.states(run), refunds()) == ([("refused", "preview_failed")], 0)


@pytest.mark.parametrize("grant", [None, "DENY", "REQUIRE_APPROVAL"])
def test_a_preview_reads_with_no_more_right_than_the_run(company: Company, grant: str | None) -> None:
    show_refunds(company)
    tool = Tool.objects.get(name="read_account")
    company.cast.agent.grants.filter(tool=tool).update(state="revoked")
    if grant:
        company.grant(tool, grant)
    run = company.run(*turns())
    assert company.states(run) == [("refused", "preview_failed")]
    assert WORLD.attempts == []


def test_a_preview_outside_of_the_catalogue_is_not_asked(company: Company) -> None:
    show_refunds(company)
    company.versions.pop(0)
    run = company.run(*turns())
    assert company.states(run) == [("refused", "preview_failed")]
    assert WORLD.attempts == []


def test_what_the_user_writes_meanwhile_is_read_before_anybody_is_asked(company: Company) -> None:
    show_refunds(company)
    run = company.start()
    company.play(*turns())
    WORLD.mishaps.append(
        meanwhile(lambda: add_message(actor=company.cast.application.service_account, run=run, text="Stop!"))
    )
    run = company.drive(run)
    assert company.states(run)[0] == ("refused", "approval_voided")


def test_a_preview_whose_breaker_is_open_is_not_asked(company: Company) -> None:
    show_refunds(company)
    trips = {"consecutive_failures": 1, "minimum_calls": 1, "open_s": 60}
    company.versions[0] = company.add_tool(
        "read_other", effect="read", function="read_account", breaker=trips
    )
    company.versions.pop()
    company.versions[1] = company.add_tool(
        "pay", function="refund", effect="irreversible", grant="REQUIRE_APPROVAL",
        preview={**PREVIEW, "tool": "read_other"},
    )  # fmt: skip
    company.versions.pop()

    def fail(_: Any) -> Any:
        raise RuntimeError("broken")

    WORLD.mishaps.append(fail)
    run = company.run(
        proposes(("pay", REFUND)), proposes(("pay", {**REFUND, "amount": "6.00"})), says("Done.")
    )
    assert company.states(run) == [("refused", "preview_failed")] * 2
    assert ACCOUNT["version"] == 1


# --- around it -----------------------------------------------------------------------------------------------


def test_an_undo_shows_what_it_changes_with_what_is_in_service(company: Company) -> None:
    """The catalogue of an undo holds what undoes, and nothing that only reads."""
    undo = {"kind": "compensable", "tool": "cancel", "arguments": {"order_id": "$arguments.order_id"}}
    show_refunds(company, effect="reversible", grant="ALLOW", undo=undo, preview=None)
    asks = company.add_tool("cancel", grant="REQUIRE_APPROVAL", preview={**PREVIEW, "changes": [STATUS]})
    company.let_decide(asks.tool)
    run = company.run(*turns())
    assert run.state == "completed"
    made = company.drive(undo_run(actor=company.cast.ada, run=run, reason="It was a mistake."))
    assert [row["label"] for row in shown()["changes"]] == ["Order"]
    company.decide()
    made = company.drive(made)
    assert (made.state, WORLD.attempts.count("cancel")) == ("completed", 1)


def test_a_version_without_what_shows_its_calls_lacks_something(company: Company) -> None:
    show_refunds(company)
    whole = AgentVersionFactory.create(identity=company.cast.agent, catalogue=company.versions)
    without = AgentVersionFactory.create(identity=company.cast.agent, catalogue=company.versions[1:])
    codes = [{finding.code for finding in check_version(version)} for version in (whole, without)]
    assert ["no_lookup" in each for each in codes] == [False, True]


def test_what_was_shown_is_erased_with_the_runs_words(company: Company, waiting: Run) -> None:
    company.decide("deny", "no")
    run = company.drive(waiting)
    erase_run(actor=company.cast.ada, run=run, reason="asked for")
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(concat(facts::text, content), ' ') FROM ledger_entry")
        [written] = cursor.fetchone()
    assert "Paid back" not in written
    assert "delivered" not in written


def test_what_is_signed_holds_the_call_and_the_state(company: Company, waiting: Run) -> None:
    """The same state of two calls, and two states of the same call, are four digests."""
    [gated] = company.facts(waiting, "call.gated")
    company.decide("deny", "no")
    company.drive(waiting)
    change_account()
    company.play(*turns())
    company.drive(company.start())
    company.decide("deny", "no")
    digests = set(ApprovalRequest.objects.values_list("digest", flat=True))
    assert gated["digest"] in digests
    assert len(digests) == 2


# --- what somebody has edited -------------------------------------------------------------------------------


def before_it_goes_out(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Session], object]) -> None:
    """Have something happen once, just before a driver sees whether its call may go out."""
    real, done = executing.make_ready, list[int]()

    def make_ready(session: Session, number: int) -> executing.Ready | None:
        if not done:
            done.append(number)
            meanwhile(session)
        return real(session, number)

    monkeypatch.setattr(executing, "make_ready", make_ready)


def test_an_edited_call_that_is_asked_about_anew_stays_an_edited_one(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_it_goes_out(monkeypatch, lambda session: change_account(**CHANGED))
    first = edit(company, {**REFUND, "amount": "4.00"}, reason="half")
    run = company.drive(waiting)
    assert (company.states(run), refunds()) == ([("waiting", "")], 0)
    again = present()
    assert (again.follows, again.edited_by, again.decisions.count()) == (first, company.cast.fiona, 0)
    assert (read_evidence(again) or {})["edited"]["reason"] == "half"
    with pytest.raises(StateConflict, match="edited once"):
        edit(company, {**REFUND, "amount": "3.00"})
    company.decide()
    assert company.states(company.drive(run)) == [("succeeded", "ok")]


def test_a_state_that_comes_back_counts_no_edit_twice(
    company: Company, waiting: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    was = dict(ACCOUNT)
    before_it_goes_out(monkeypatch, lambda session: change_account(**CHANGED))
    edit(company, {**REFUND, "amount": "4.00"})
    run = company.drive(waiting)
    company.decide()
    ACCOUNT.update(was)
    run = company.drive(run)
    assert (company.states(run), present().decisions.count(), refunds()) == ([("waiting", "")], 0, 0)


def test_what_was_shown_before_an_edit_is_not_about_what_it_made(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = show_refunds(
        company, grant="ALLOW_WITH_CAPS", effect="reversible", amount_argument="amount", currency="USD",
        grant_caps=[{"per": "call", "amount": "5.00"}], grant_over_caps="REQUIRE_APPROVAL",
    )  # fmt: skip

    def tighten(session: Session) -> None:
        company.grant(version.tool, "REQUIRE_APPROVAL")
        session.fresh.clear()
        session.standings.clear()

    before_it_goes_out(monkeypatch, tighten)
    run = company.run(proposes(("refund", {**REFUND, "amount": "9.00"})), says("Done."))
    edit(company, {**REFUND, "amount": "4.00"})
    assert company.states(company.drive(run)) == [("waiting", "")]
    assert "since" not in shown()
    assert "asked_anew" not in company.facts(run, "call.gated")[-1]
