"""While what is due waits too long, new runs are put off, the least urgent first; what was accepted stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agentops.errors import Overloaded
from identities.models import Team
from runs import back_pressure, services, turns_of_teams
from runs.back_pressure import check_room
from runs.models import Priority, Run, Schedule
from runs.schedules.firing import start_due
from tests.api.conftest import Callers, callers, keys
from tests.factories import TeamFactory
from tests.rewriting import rewrite, rewrite_text
from tests.runs.company import ISSUER, SUBJECT, Company, says
from tests.runs.conftest import company
from tests.runs.delegation.conftest import House
from tests.runs.plans import explain_with_only
from tests.runs.schedules.conftest import Set, make_due, plan, this_hour, told

__all__ = ["callers", "company", "keys", "plan"]


def be_late(run: Run, seconds: float) -> None:
    """Have a run wait for a driver since then."""
    Run.objects.filter(pk=run.pk).update(wake_at=timezone.now() - timedelta(seconds=seconds))


def read_lag_s(team: Team, priority: Priority = Priority.LOW) -> float:
    with connection.cursor() as cursor:
        return turns_of_teams.read_lag_s(cursor, team.pk, priority)


def admitted(team: Team) -> set[Priority]:
    found = set()
    for priority in Priority:
        try:
            check_room(priority, team.pk)
            found.add(priority)
        except Overloaded:
            pass
    return found


@pytest.mark.parametrize(
    ("late_s", "left"),
    [
        (0, {Priority.LOW, Priority.NORMAL, Priority.HIGH}), (19, {Priority.LOW, Priority.NORMAL, Priority.HIGH}),
        (25, {Priority.NORMAL, Priority.HIGH}), (59, {Priority.NORMAL, Priority.HIGH}), (90, {Priority.HIGH}),
        (650, set()),
    ],
)  # fmt: skip
def test_the_least_urgent_are_put_off_first(company: Company, late_s: float, left: set[Priority]) -> None:
    be_late(company.start(priority=Priority.HIGH), late_s)
    assert admitted(company.cast.team) == left


def test_nobody_is_put_off_for_who_is_less_urgent_or_of_another_team(company: Company) -> None:
    be_late(company.start(priority=Priority.LOW), 900)
    be_late(company.start(), 40)
    assert admitted(company.cast.team) == {Priority.NORMAL, Priority.HIGH}
    assert admitted(TeamFactory.create()) == set(Priority)


def test_without_the_team_a_crowd_would_put_off_everybody(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_late(company.start(priority=Priority.HIGH), 900)
    rewrite_text(monkeypatch, turns_of_teams, "_LAG", "r.team_id = %(team)s AND", "")
    assert admitted(TeamFactory.create()) == set()


def test_who_waits_for_people_or_is_being_driven_is_not_late(company: Company) -> None:
    assert read_lag_s(company.cast.team) == 0
    resting, driven = company.start(), company.start()
    Run.objects.filter(pk=resting.pk).update(wake_at=None)
    Run.objects.filter(pk=driven.pk).update(wake_at=None, lease_until=timezone.now() + timedelta(minutes=1))
    assert read_lag_s(company.cast.team) == 0


def test_one_whose_driver_died_is(company: Company) -> None:
    Run.objects.filter(pk=company.start().pk).update(
        wake_at=None, lease_until=timezone.now() - timedelta(minutes=2)
    )
    assert read_lag_s(company.cast.team) > 100


def test_what_has_ended_is_not(company: Company) -> None:
    run = company.run(says("Done."))
    be_late(run, 900)
    assert read_lag_s(company.cast.team) == 0


def test_the_api_says_when_to_come_again_and_nothing_was_begun(company: Company, callers: Callers) -> None:
    be_late(company.start(), 90)
    body = {"agent": company.cast.agent.slug, "message": "Help.",
            "principal": {"issuer": "https://shop.example", "subject": "customer-1"}}  # fmt: skip
    refused = callers.app.post("/runs", body, Idempotency_Key="one")
    assert (refused.status, refused.code) == (429, "overloaded")
    assert 25 <= int(refused.headers["Retry-After"]) <= 35
    assert Run.objects.count() == 1
    assert callers.app.post("/runs", {**body, "priority": "high"}, Idempotency_Key="two").status == 201
    Run.objects.update(wake_at=timezone.now())
    assert callers.app.post("/runs", body, Idempotency_Key="one").status == 201, "a refusal is not kept"


def test_without_the_look_it_would_begin(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    be_late(company.start(), 90)
    with pytest.raises(Overloaded):
        company.start()
    monkeypatch.setattr(
        services, "check_room", rewrite(monkeypatch, back_pressure, "check_room", "lag_s > bearable", "False")
    )
    company.start()


def test_a_run_on_behalf_of_another_is_let_in(company: Company) -> None:
    company.add_reads()
    parent, clerk = company.start(), House(company).hire("clerk", *company.versions)
    be_late(parent, 90)
    child = services.start_run(
        actor=company.cast.application.service_account, agent=clerk, message="Look.", issuer=ISSUER, subject=SUBJECT,
        application=company.cast.application, parent=parent,
    )  # fmt: skip
    assert child.parent == parent


def test_a_schedules_time_stands_until_there_is_room(company: Company, plan: Set) -> None:
    schedule = make_due(plan())
    be_late(company.start(), 90)
    assert start_due(this_hour()) == 0
    schedule.refresh_from_db()
    assert (schedule.refusals, schedule.due_at, told(schedule)) == (0, this_hour(), [])
    assert schedule.starts_at > timezone.now() + timedelta(seconds=20)
    Run.objects.update(wake_at=None)
    Schedule.objects.update(starts_at=this_hour())
    assert start_due(this_hour()) == 1


def test_looking_takes_the_index_and_one_row(company: Company) -> None:
    asked = {"team": company.cast.team.pk, "priorities": [1, 2]}
    plan = explain_with_only("run_due_in_turn", "runs_run", turns_of_teams._LAG, asked)
    assert "run_due_in_turn" in plan
    assert "Limit" in plan
