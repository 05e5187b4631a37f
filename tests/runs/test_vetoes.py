"""Calls that are held before they go out, for people to veto them, through the driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from approvals.models import ApprovalRequest
from identities.models import AgentIdentity, User
from runs.actions import executing
from runs.answering import answer_handover
from runs.evidence import UNREAD_WORDS
from runs.guards import Guard
from runs.held import find_held, read_held
from runs.models import Handover, Run, ToolCall
from runs.services import (
    add_message,
    answer_input,
    cancel_run,
    kill_run,
    pause_run,
    veto_call,
)
from runs.session import Session
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy
from tests.runs.test_driver import abandon, crash, drive_and_crash
from tools.models import Tool, ToolGrant, ToolVersion

WINDOW_S = 600


@pytest.fixture
def refund(company: Company) -> ToolVersion:
    return company.add_tool("refund", grant="ALLOW", grant_veto_s=WINDOW_S)


@pytest.fixture
def held(company: Company, refund: ToolVersion) -> Run:
    """Return a run whose refund is held."""
    run = company.run(proposes(("refund", ORDER), text="The order is late."), says("Done."))
    assert company.states(run) == [("held", "")]
    return run


def client(company: Company) -> User:
    return company.cast.application.service_account


def until(run: Run, call: int = 1) -> datetime:
    end = ToolCall.objects.get(run=run, number=call).held_until
    assert end is not None
    return end


@contextmanager
def once_over(run: Run, seconds: int = WINDOW_S) -> Iterator[None]:
    """Move to when the window of a run's call is over."""
    with time_machine.travel(run.created_at + timedelta(seconds=seconds + 5), tick=True):
        yield


def veto(company: Company, run: Run, actor: User | None = None, reason: str = "not this one") -> Run:
    return veto_call(actor=actor or client(company), run=run, step=1, call=1, reason=reason)


# --- held, then made or vetoed -----------------------------------------------------------------------------


def test_a_held_call_is_announced_and_waits(company: Company, held: Run) -> None:
    assert (held.state, held.required_actions, held.lease_until) == ("in_progress", [], None)
    assert held.wake_at == until(held) > timezone.now() + timedelta(seconds=WINDOW_S - 60)
    assert company.world.attempts == []
    allowed = company.facts(held, "call.allowed")[0]
    assert (allowed["veto_s"], datetime.fromisoformat(allowed["held_until"])) == (WINDOW_S, until(held))
    assert "held_for_veto" in {reason["code"] for reason in allowed["reasons"]}
    [shown] = read_held(company.cast.alice)
    assert shown.statement == "do something to order “A-1”"
    assert find_held(company.cast.alice).count() == 1


def test_a_call_that_nobody_vetoes_goes_out_once_when_its_window_is_over(company: Company, held: Run) -> None:
    company.drive(held)
    assert company.world.attempts == []
    with once_over(held):
        run = company.drive(held)
        company.drive(run)
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert len(company.world.effects) == 1
    assert not read_held(company.cast.alice)


def test_a_vetoed_call_never_goes_out_and_the_agent_is_told_why(company: Company, held: Run) -> None:
    veto(company, held, reason="the customer called")
    run = company.drive(held)
    assert (run.state, company.states(run)) == ("completed", [("refused", "vetoed")])
    assert company.observations() == [{"error": "vetoed", "detail": "the customer called"}]
    with once_over(held):
        company.drive(run)
    assert company.world.attempts == []


def test_the_window_is_no_working_time(company: Company, held: Run) -> None:
    with once_over(held):
        run = company.drive(held)
    assert run.state == "completed"
    assert run.worked_ms < 60_000


def test_reads_are_not_held(company: Company) -> None:
    company.add_tool("look_up", effect="read", grant_veto_s=WINDOW_S)
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    assert company.states(run) == [("succeeded", "ok")]


def test_all_calls_of_a_step_are_held_at_the_same_time_and_made_in_their_order(
    company: Company, refund: ToolVersion
) -> None:
    company.add_reads()
    other = {"order_id": "A-2"}
    run = company.run(proposes(("refund", ORDER), ("refund", other), ("look_up", ORDER)), says("Done."))
    assert company.states(run) == [("held", ""), ("held", ""), ("succeeded", "ok")]
    assert until(run, 2) - until(run, 1) < timedelta(seconds=30)
    veto_call(actor=client(company), run=run, step=1, call=1, reason="not the first")
    run = company.drive(run)
    assert company.states(run)[:2] == [("refused", "vetoed"), ("held", "")]
    with once_over(run):
        run = company.drive(run)
    assert [state for state, _ in company.states(run)] == ["refused", "succeeded", "succeeded"]
    assert [key.split(":")[-1] for key in company.world.effects] == ["2"]


def test_a_call_that_was_tried_is_not_held_again(company: Company, held: Run) -> None:
    company.world.mishaps.extend([busy])
    with once_over(held):
        run = company.drive(held)
    assert (company.states(run), len(company.world.attempts)) == ([("succeeded", "ok")], 2)
    assert "call.held" not in company.kinds(run)


# --- with approvals ----------------------------------------------------------------------------------------


@pytest.fixture
def approved(company: Company) -> Run:
    """Return a run whose refund was approved, and is held."""
    version = company.add_tool(
        "refund", effect="irreversible", grant="REQUIRE_APPROVAL", grant_veto_s=3600, grant_approval_ttl_s=60
    )
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.state == "requires_action"
    company.decide()
    return company.drive(run)


def test_an_approved_call_is_held_too_and_its_approval_does_not_grow_old_meanwhile(
    company: Company, approved: Run
) -> None:
    assert ApprovalRequest.objects.get().veto_s == 3600
    assert company.states(approved)[0][0] == "held"
    assert company.world.attempts == []
    with once_over(approved, 3600):
        run = company.drive(approved)
    assert company.states(run)[0][0] == "succeeded"
    assert len(company.world.effects) == 1


def test_an_approved_call_can_be_vetoed(company: Company, approved: Run) -> None:
    veto(company, approved)
    run = company.drive(approved)
    assert company.states(run) == [("refused", "vetoed")]
    assert company.world.attempts == []


def test_an_approval_that_nobody_used_long_after_the_window_is_void(company: Company, approved: Run) -> None:
    with once_over(approved, 3600 + 120):
        run = company.drive(approved)
    assert company.states(run) == [("refused", "approval_expired")]
    assert company.world.attempts == []


# --- what changes meanwhile --------------------------------------------------------------------------------


def change_window(company: Company, refund: ToolVersion, seconds: int) -> None:
    company.grant(refund.tool, "ALLOW", veto_s=seconds)


def test_a_longer_window_holds_for_longer(company: Company, refund: ToolVersion, held: Run) -> None:
    change_window(company, refund, 3 * WINDOW_S)
    with once_over(held):
        run = company.drive(held)
        assert company.states(run) == [("held", "")]
        assert until(run) > timezone.now() + timedelta(seconds=WINDOW_S)
        assert company.world.attempts == []
    with once_over(held, 3 * WINDOW_S):
        run = company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]


def test_a_window_that_a_grant_gets_before_the_attempt_holds_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run looked before; the append compares."""
    version = company.add_tool("refund", grant="ALLOW")
    commit = executing._commit_attempts

    def tighten(session: Session, ready: list[executing.Ready]) -> None:
        if not ToolGrant.objects.filter(veto_s=WINDOW_S).exists():
            change_window(company, version, WINDOW_S)
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", tighten)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [("held", "")]
    assert company.world.attempts == []


def test_what_the_user_writes_meanwhile_is_read_first(company: Company, held: Run) -> None:
    add_message(actor=client(company), run=held, text="No, wait!")
    run = company.drive(held)
    assert company.states(run) == [("refused", "user_wrote")]
    assert company.observations()[0]["detail"] == UNREAD_WORDS
    with once_over(held):
        company.drive(run)
    assert company.world.attempts == []


def write_while_it_waits_for_its_tool(company: Company) -> Run:
    """Have the user write once the window is over and the tool out of order; return the run when that has passed."""
    version = company.add_tool(
        "refund", grant="ALLOW", grant_veto_s=WINDOW_S, on_breaker_open="wait",
        breaker={"open_s": 60, "open_cap_s": 60},
    )  # fmt: skip
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    Tool.objects.filter(pk=version.tool_id).update(
        forced_open_at=timezone.now(), forced_open_reason="maintenance"
    )
    with once_over(run):
        run = company.drive(run)
        assert company.states(run)[0][0] == "deferred"
        add_message(actor=client(company), run=run, text="No, wait!")
        Tool.objects.update(forced_open_at=None, forced_open_reason="")
    with once_over(run, 2 * WINDOW_S):
        return company.drive(run)


def test_what_the_user_writes_while_its_tool_is_out_of_order_is_read_first_too(company: Company) -> None:
    run = write_while_it_waits_for_its_tool(company)
    assert company.states(run) == [("refused", "user_wrote")]
    assert company.world.attempts == []


@pytest.mark.parametrize(
    "asked", [("ask_user", {"question": "Shall I?"}), ("hand_over", {"reason": "Late."})]
)
def test_what_is_answered_meanwhile_is_read_first(
    company: Company, refund: ToolVersion, asked: tuple[str, dict[str, str]]
) -> None:
    """Just as an answer withdraws what people have approved and was not used yet."""
    run = company.run(proposes(("refund", ORDER), asked), says("Done."))
    assert [state for state, _ in company.states(run)] == ["held", "asked"]
    if handover := Handover.objects.first():
        answer_handover(actor=company.cast.alice, handover=handover, text="No!")
    else:
        answer_input(actor=client(company), run=run, text="No!")
    with once_over(run):
        run = company.drive(run)
    assert company.states(run)[0] == ("refused", "user_wrote")
    assert company.world.attempts == []


@pytest.mark.parametrize("verb", [cancel_run, kill_run])
def test_a_run_that_is_stopped_makes_no_held_call(
    company: Company, held: Run, verb: Callable[..., Run]
) -> None:
    verb(actor=company.cast.alice, run=held)
    with once_over(held):
        run = company.drive(held)
    assert run.state in ("cancelled", "halted")
    assert company.world.attempts == []


def test_a_suspended_agent_makes_no_held_call(company: Company, held: Run) -> None:
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(state="suspended")
    with once_over(held):
        run = company.drive(held)
    assert (run.state, run.status_reason) == ("halted", "identity_suspended")
    assert company.world.attempts == []


def test_a_revoked_grant_makes_no_held_call(company: Company, refund: ToolVersion, held: Run) -> None:
    ToolGrant.objects.filter(tool=refund.tool).update(state="revoked")
    with once_over(held):
        run = company.drive(held)
    assert company.states(run) == [("refused", "no_grant")]
    assert company.world.attempts == []


def test_a_run_that_expires_makes_no_held_call(company: Company, refund: ToolVersion) -> None:
    company.publish(run_expires_after_s=60)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    with once_over(run):
        run = company.drive(run)
    assert run.state == "expired"
    assert company.world.attempts == []


def test_a_paused_run_holds_on_and_can_still_be_vetoed(company: Company, held: Run) -> None:
    pause_run(actor=client(company), run=held)
    with once_over(held):
        company.drive(held)
        assert company.world.attempts == []
        veto(company, held)
    assert company.states(held) == [("refused", "vetoed")]


def test_a_driver_that_dies_when_the_window_is_over_makes_the_call_once(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with once_over(held), monkeypatch.context() as patch:
        patch.setattr(executing, "_execute_all", crash)
        drive_and_crash(company, held)
    abandon(held)  # by the database's clock, too
    with once_over(held, 2 * WINDOW_S):
        run = company.drive(held)
    assert company.states(run)[0][0] == "succeeded"
    assert len(company.world.effects) == 1


def test_a_driver_that_dies_while_it_is_held_changes_nothing(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Run.objects.filter(pk=held.pk).update(wake_at=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(Session, "release", crash)
        drive_and_crash(company, held)
    run = company.drive(held)
    assert company.states(run) == [("held", "")]
    veto(company, run)
    run = company.drive(run)
    assert (company.states(run), company.world.attempts) == ([("refused", "vetoed")], [])


# --- a veto while a driver is at it ------------------------------------------------------------------------


def veto_before_the_refusal(company: Company, held: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user write, and somebody veto the call just before its driver notes that it goes out no more."""
    real, vetoed = Session.commit, list[Run]()

    def commit(session: Session, guards: Sequence[Guard] = ()) -> None:
        if not vetoed and [draft.kind for draft, _ in session.pending[:1]] == ["call.refused"]:
            vetoed.append(veto(company, held))
        real(session, guards)

    monkeypatch.setattr(Session, "commit", commit)
    company.play(says("Done."))
    add_message(actor=client(company), run=held, text="Wait.")
    company.drive(held)


def test_a_veto_overtakes_the_driver_that_was_about_to_refuse(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    veto_before_the_refusal(company, held, monkeypatch)
    assert (company.states(held), held.state) == ([("refused", "vetoed")], "completed")


def test_unless_it_gives_way_the_driver_fails(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    monkeypatch.setattr("runs.session.is_overtaken", lambda *_: False)
    veto_before_the_refusal(company, held, monkeypatch)
    assert any("cannot fold" in fault or "call 1 is refused" in fault for fault in company.faults)
