"""Runs that people will have to review begin no faster than people can review them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agentops.database import borrowed
from approvals.capacity import set_review_capacity
from approvals.models import ApprovalRequest
from approvals.services import void_request
from runs import admission
from runs.driver import drive
from runs.models import Priority, Run
from runs.services import cancel_run, pause_run, resume_run
from runs.tasks import sweep
from tests.runs.company import ORDER, Company, proposes, says

ASKS = proposes(("refund", ORDER))


@pytest.fixture
def desk(company: Company) -> Company:
    """Return a company whose one approver can decide about one call an hour."""
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    bound(company, 1)
    company.play(ASKS, ASKS, ASKS, ASKS, ASKS)
    return company


def bound(company: Company, number: int | None) -> None:
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=number)


def begin(company: Company, **more: Any) -> Run:
    """Start a run and let a driver look at it."""
    return company.drive(company.start(**more))


def crowd(company: Company) -> None:
    """Have as much wait as the people can bear, and one more."""
    for _ in range(2):
        assert begin(company).state == "requires_action"


def admissible() -> list[Any]:
    with borrowed() as connection, connection.cursor() as cursor:
        return admission.find_admissible(cursor)


def test_a_run_for_which_there_is_room_begins(desk: Company) -> None:
    run = begin(desk)
    assert (run.needs_review, run.state, run.status_reason) == (True, "requires_action", "")
    assert desk.kinds(run)[:3] == ["run.started", "run.admitted", "model.requested"]


def test_beyond_what_people_can_decide_a_run_waits_and_says_why(desk: Company) -> None:
    crowd(desk)
    held = begin(desk)
    assert (held.state, held.status_reason, held.worked_ms) == ("queued", "review_capacity", 0)
    assert desk.kinds(held) == ["run.started", "run.held_back"]
    assert desk.facts(held, "run.held_back") == [{"waiting": 2, "under_way": 0, "capacity": 1}]
    assert desk.drive(held).state == "queued"
    assert desk.kinds(held) == ["run.started", "run.held_back"]
    assert admissible() == []


def test_a_grant_that_asks_since_stops_none_on_its_way_and_holds_back_who_starts_after(desk: Company) -> None:
    tool = desk.versions[0].tool
    desk.grant(tool, "ALLOW")
    earlier = [desk.start() for _ in range(2)]
    assert not any(run.needs_review for run in earlier)
    desk.grant(tool, "REQUIRE_APPROVAL")
    assert [desk.drive(run).state for run in earlier] == ["requires_action"] * 2
    assert begin(desk).status_reason == "review_capacity"


def test_without_the_guard_it_would_begin(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(desk)
    monkeypatch.setattr(admission.Crowd, "room", 10)
    assert begin(desk).state == "requires_action"


def test_a_decision_lets_the_next_one_in_and_decides_nothing_else(desk: Company) -> None:
    crowd(desk)
    held = begin(desk)
    one = ApprovalRequest.objects.filter(state="waiting").earliest("created_at")
    with transaction.atomic():
        void_request(one.pk, code="asked_anew", now=timezone.now())
    assert admissible() == [held.pk]
    assert desk.drive(held).state == "requires_action"
    assert ApprovalRequest.objects.filter(state="waiting").count() == 2
    assert not ApprovalRequest.objects.exclude(state__in=("waiting", "voided")).exists()


def test_the_sweeper_sends_those_whose_turn_it_is(desk: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    def send(name: str, run: str, **_: object) -> bool:
        sent.append(run)
        return True

    monkeypatch.setattr("runs.queues.send_now", send)
    crowd(desk)
    held = begin(desk)
    sweep()
    assert str(held.pk) not in sent
    bound(desk, 2)
    sweep()
    assert str(held.pk) in sent


def test_who_is_urgent_goes_first_and_nobody_waits_for_ever(desk: Company) -> None:
    crowd(desk)
    normal, low, high = (
        begin(desk, priority=each) for each in (Priority.NORMAL, Priority.LOW, Priority.HIGH)
    )
    bound(desk, 10)
    assert admissible() == [high.pk, normal.pk, low.pk]
    Run.objects.filter(pk=low.pk).update(created_at=timezone.now() - timedelta(hours=3))
    assert admissible() == [low.pk, high.pk, normal.pk]


def test_one_that_comes_later_does_not_push_in_front(desk: Company) -> None:
    crowd(desk)
    first = begin(desk)
    bound(desk, 2)  # room for one
    second = begin(desk)
    assert (second.state, desk.drive(first).state) == ("queued", "requires_action")


def test_runs_under_way_that_may_ask_yet_take_room(desk: Company) -> None:
    for _ in range(2):
        run = desk.start()
        Run.objects.filter(pk=run.pk).update(state="in_progress")
    assert begin(desk).status_reason == "review_capacity"


def test_a_run_that_can_ask_nobody_does_not_wait(company: Company) -> None:
    company.add_reads()
    bound(company, 1)
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    assert (run.needs_review, run.state) == (False, "completed")


def test_without_a_bound_nobody_waits(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    assert not company.start().needs_review


def test_taken_away_the_bound_holds_nobody_back(desk: Company) -> None:
    crowd(desk)
    held = begin(desk)
    bound(desk, None)
    assert admissible() == [held.pk]
    assert desk.drive(held).state == "requires_action"


def test_a_run_that_waits_can_be_cancelled_paused_and_expires(desk: Company) -> None:
    crowd(desk)
    one, other = begin(desk), begin(desk)
    client = desk.cast.application.service_account
    cancel_run(actor=client, run=one)
    assert desk.drive(one).state == "cancelled"
    pause_run(actor=client, run=other)
    other = desk.drive(other)
    assert (other.state, other.status_reason) == ("paused", "")
    bound(desk, 10)
    assert admissible() == []
    resume_run(actor=client, run=other)
    assert desk.drive(other).state == "requires_action"


@pytest.mark.django_db(transaction=True)
def test_runs_that_begin_at_once_do_not_take_the_same_room(desk: Company) -> None:
    runs = [desk.start() for _ in range(6)]
    desk.play(*[ASKS] * 6)

    def look(run: Run) -> None:
        try:
            drive(run.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, runs))
    assert ApprovalRequest.objects.filter(state="waiting").count() == 2
    assert Run.objects.filter(status_reason="review_capacity").count() == 4
