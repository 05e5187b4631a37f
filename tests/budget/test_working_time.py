"""Ninety seconds of work: neither people nor queues use them up, and a run that waits still ends one day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import psycopg
import pytest
from pytest_django import Settings

from approvals.models import ApprovalRequest
from runs import turns
from runs.driver import drive
from runs.models import Budget, Run
from runs.services import add_message, answer_input, pause_run, resume_run
from runs.session import Session
from tests.budget.books import find_leaks
from tests.budget.clock import Clock, stopped_clock
from tests.factories import BudgetFactory
from tests.runs.company import ORDER, Company, proposes, says, wakes_once_expired
from tests.runs.deeds import meanwhile
from tests.runs.planner.provider import Conversation, Turn, reply

pytestmark = pytest.mark.budget

LONG_S = 1_000.0  # more than the ninety seconds that a run may work


@pytest.fixture
def clock(company: Company) -> Iterator[Clock]:
    """Provide a clock some hours before the database's, so that nothing is in the database's future."""
    with stopped_clock(datetime.now(UTC) - timedelta(hours=6)) as clock:
        yield clock


@pytest.fixture
def budget(company: Company) -> Budget:
    budget: Budget = BudgetFactory.create(
        team=company.cast.team, max_usd=1, max_steps=100, max_tokens=1_000_000
    )
    return budget


def thinks(clock: Clock, seconds: float, turn: Turn) -> Turn:
    """Let the model take its time."""

    def play(conversation: Conversation) -> None:
        clock.pass_by(seconds=seconds)
        turn(conversation)

    return play


def worked_s(run: Run) -> float:
    return run.worked_ms / 1000


# --- what counts --------------------------------------------------------------------------------------------


def test_models_and_tools_at_work_count(company: Company, clock: Clock) -> None:
    company.add_reads()
    company.world.mishaps.extend([meanwhile(lambda: clock.pass_by(seconds=7))])
    run = company.run(thinks(clock, 5, proposes(("look_up", ORDER))), thinks(clock, 11, says("Hello.")))
    assert (run.state, worked_s(run)) == ("completed", 23)


def test_more_than_ninety_seconds_halt_the_run(
    company: Company, clock: Clock, books: psycopg.Connection
) -> None:
    company.add_tool("refund")
    company.add_tool("cancel")
    company.world.mishaps.extend([meanwhile(lambda: clock.pass_by(seconds=50))])
    turn = thinks(clock, 40, proposes(("refund", ORDER), ("cancel", ORDER)))
    run = company.run(turn, says("Never."))
    assert (run.state, run.status_reason, worked_s(run)) == ("halted", "budget_reached", 90)
    assert company.states(run) == [("succeeded", "ok"), ("allowed", "")]
    assert company.content(run, "run.halted")["not_done"] == ["1 × cancel (allowed)"]


def test_waiting_for_a_provider_counts(company: Company, clock: Clock) -> None:
    busy = reply({"error": {"message": "slow down"}}, 429, retry_after="30")
    company.play(busy, says("Hello."))
    run = company.drive(company.start())
    assert (run.state, run.wake_at) == ("in_progress", clock.now + timedelta(seconds=30))
    clock.pass_by(seconds=31)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 30), "the thirty-first second it was due and waited"


def test_a_provider_that_asks_for_more_than_is_left_is_not_waited_for(company: Company, clock: Clock) -> None:
    busy = reply({"error": {"message": "slow down"}}, 429, retry_after="30")
    run = company.run(thinks(clock, 61, busy), says("Never."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")


# --- people ---------------------------------------------------------------------------------------------------


def test_waiting_for_an_approval_does_not_count(company: Company, clock: Clock, budget: Budget) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_approval_ttl_s=3_600)
    company.let_decide(refund.tool)
    run = company.run(proposes(("refund", ORDER)), thinks(clock, 5, says("Refunded.")))
    assert run.state == "requires_action"
    clock.pass_by(seconds=LONG_S)
    company.decide()
    clock.pass_by(seconds=LONG_S)  # until a driver is free
    run = company.drive(run)
    assert (run.state, worked_s(run), len(company.world.effects)) == ("completed", 5, 1)


def test_waiting_for_the_user_does_not_count(company: Company, clock: Clock) -> None:
    asks = proposes(("ask_user", {"question": "Which order?"}))
    run = company.run(thinks(clock, 5, asks), thinks(clock, 6, says("Thank you.")))
    assert run.state == "requires_action"
    clock.pass_by(seconds=LONG_S)
    answer_input(actor=company.cast.application.service_account, run=run, text="A-1")
    clock.pass_by(seconds=LONG_S)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 11)


def test_a_pause_does_not_count(company: Company, clock: Clock) -> None:
    company.add_reads()
    application = company.cast.application.service_account
    company.play(proposes(("look_up", ORDER)), thinks(clock, 6, says("Hello.")))
    run = company.start()
    company.world.mishaps.extend([meanwhile(lambda: pause_run(actor=application, run=run))])
    run = company.drive(run)
    assert run.state == "paused"
    clock.pass_by(seconds=LONG_S)
    resume_run(actor=application, run=run)
    clock.pass_by(seconds=LONG_S)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 6)


# --- queues ---------------------------------------------------------------------------------------------------


def test_the_queue_before_the_first_driver_does_not_count(company: Company, clock: Clock) -> None:
    company.play(thinks(clock, 3, says("Hello.")))
    run = company.start()
    clock.pass_by(seconds=LONG_S)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 3)


@pytest.mark.usefixtures("others_wait")
def test_the_queue_between_time_slices_does_not_count(
    company: Company, clock: Clock, settings: Settings, budget: Budget
) -> None:
    settings.TIME_SLICE_S = 0.0
    company.add_reads()
    company.play(thinks(clock, 3, proposes(("look_up", ORDER))), thinks(clock, 4, says("Hello.")))
    run = company.start()
    slices = 1
    while drive(run.pk):
        clock.pass_by(seconds=LONG_S)
        slices += 1
    run.refresh_from_db()
    assert (run.state, worked_s(run)) == ("completed", 7)
    assert slices > 4


@pytest.mark.usefixtures("others_wait")
def test_the_queue_does_not_count_when_the_first_draw_after_it_is_refused(
    company: Company, clock: Clock, settings: Settings
) -> None:
    """A refused draw is dropped; what it was to say about the queue is said by the next event."""
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=2)
    settings.TIME_SLICE_S = 0.0
    company.add_reads()
    company.play(proposes(("look_up", ORDER)), says("Hello."))
    run = company.start()
    while drive(run.pk):
        clock.pass_by(seconds=LONG_S)
    run.refresh_from_db()
    assert (run.state, worked_s(run), run.steps) == ("completed", 0, 2)
    assert {facts["steps"] for facts in company.facts(run, "budget.drawn")} <= {0, 1}, "four were refused"


@pytest.mark.usefixtures("others_wait")
def test_the_queue_does_not_count_when_somebody_speaks_in_it(
    company: Company, clock: Clock, settings: Settings
) -> None:
    settings.TIME_SLICE_S = 0.0
    company.add_reads()
    company.play(proposes(("look_up", ORDER)), says("Hello."))
    run = company.start()
    assert drive(run.pk)
    clock.pass_by(seconds=LONG_S)
    add_message(actor=company.cast.application.service_account, run=run, text="And quickly!")
    # The bell rings by the database's clock, which is hours ahead here: the queue goes on from the message.
    Run.objects.filter(pk=run.pk).update(wake_at=clock.now)
    clock.pass_by(seconds=LONG_S)
    settings.TIME_SLICE_S = 20.0
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 0)


@pytest.mark.usefixtures("others_wait")
def test_the_queue_does_not_count_when_somebody_speaks_before_its_end_is_written(
    company: Company, clock: Clock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver has the run, and its first write meets a moved head."""
    settings.TIME_SLICE_S = 0.0
    company.add_reads()
    company.play(proposes(("look_up", ORDER)), says("Hello."))
    run = company.start()
    assert drive(run.pk)
    clock.pass_by(seconds=LONG_S)
    settings.TIME_SLICE_S = 20.0
    commit = Session.commit

    def speak_first(session: Session, *guards: object) -> None:
        monkeypatch.setattr(Session, "commit", commit)
        add_message(actor=company.cast.application.service_account, run=run, text="And quickly!")
        commit(session, *guards)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(Session, "commit", speak_first)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 0)
    assert "And quickly!" in str(company.asked()[-1]["messages"])


class Death(BaseException):
    """The process ends here."""


def test_time_after_a_drivers_death_does_not_count(
    company: Company, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker was there for a long time; the lease of the last one tells until when it may have worked."""
    company.play(says("Hello."))
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(turns, "planner_of", _die)
        with pytest.raises(Death):
            drive(run.pk)
    Run.objects.filter(pk=run.pk).update(lease_until=clock.now + timedelta(seconds=15))
    clock.pass_by(seconds=LONG_S)
    run = company.drive(run)
    assert (run.state, worked_s(run)) == ("completed", 15)
    assert [facts["code"] for facts in company.facts(run, "model.failed")] == ["lost"]


def _die(*_: str) -> NoReturn:
    raise Death


# --- the separate expiry ----------------------------------------------------------------------------------------


def test_a_run_that_waits_for_people_expires(
    company: Company, clock: Clock, books: psycopg.Connection, budget: Budget
) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL", grant_approval_ttl_s=86_400)
    company.let_decide(refund.tool)
    company.publish(run_expires_after_s=3_600)
    run = company.run(proposes(("refund", ORDER)), says("Never."))
    assert run.state == "requires_action"
    assert wakes_once_expired(run)
    assert budget.windows.get().committed_tokens == run.tokens, "it holds nothing while it waits"
    clock.pass_by(seconds=3_601)
    run = company.drive(run)
    assert (run.state, run.status_reason, worked_s(run)) == ("expired", "expired", 0)
    assert (run.lease_until, run.wake_at) == (None, None), "its driver has given it back"
    assert company.content(run, "run.expired")["not_done"] == ["1 × refund (waiting)"]
    assert (company.world.attempts, ApprovalRequest.objects.get().state) == ([], "voided")
    assert budget.windows.get().committed_tokens == run.tokens
    assert find_leaks(books) == []


def test_a_paused_run_expires(company: Company, clock: Clock) -> None:
    company.publish(run_expires_after_s=3_600)
    company.play(says("Never."))
    run = company.start()
    pause_run(actor=company.cast.application.service_account, run=run)
    run = company.drive(run)
    assert run.state == "paused"
    assert wakes_once_expired(run)
    clock.pass_by(seconds=3_601)
    run = company.drive(run)
    assert (run.state, company.asked()) == ("expired", [])
