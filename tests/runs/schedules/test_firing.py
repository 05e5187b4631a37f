"""Each time is one run, checked as if its owner started it then; what is missed, late or refused is on record."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from identities.models import ApiKey
from identities.services import issue_api_key, revoke_api_key, suspend_agent, throw_switch
from runs import tasks
from runs.models import Run, Schedule
from runs.publishing import retire_version
from runs.schedules import firing
from runs.schedules.firing import MOST_CAUGHT_UP, REFUSALS_BEFORE_REST, start_due
from runs.services import cancel_run, start_run
from tests.rewriting import rewrite
from tests.runs.company import SUBJECT, Company, says
from tests.runs.schedules.conftest import Set, make_due, pass_time, this_hour, told


def test_at_its_time_a_run_begins_and_comes_to_its_end(company: Company, plan: Set) -> None:
    schedule = plan()
    (run,) = pass_time(schedule)
    company.play(says("Nothing is open."))
    assert company.drive(run).state == "completed"
    assert (run.principal.subject, run.application, run.proof) == (
        SUBJECT,
        company.cast.application,
        "asserted",
    )
    assert company.content(run, "run.started")["message"] == "Report what is open."
    assert told(schedule) == [("started", None)]
    assert schedule.last_run == run
    assert schedule.due_at == this_hour() + timedelta(hours=1)


def test_before_its_time_nothing_begins(plan: Set) -> None:
    plan()
    assert tasks.start_due() == 0
    assert not Run.objects.exists()


def test_a_time_is_one_run_however_often_one_looks(plan: Set) -> None:
    schedule = plan()
    assert len(pass_time(schedule)) == 1
    assert start_due(this_hour()) == 0
    assert Run.objects.count() == 1


# --- while nobody was there -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "runs", "kinds"),
    [("last", 1, ["missed", "started"]), ("none", 0, ["missed"]), ("all", 4, ["started"] * 4)],
)
def test_what_was_missed_is_caught_up_as_it_was_said(
    plan: Set, catch_up: str, runs: int, kinds: list[str]
) -> None:
    schedule = plan(catch_up=catch_up, overlap="allow")
    assert len(pass_time(schedule, hours_ago=3, seconds=120)) == runs
    assert [kind for kind, _ in told(schedule)] == kinds
    assert schedule.due_at > timezone.now()


def test_of_a_great_many_missed_times_only_the_last_are_caught_up(plan: Set) -> None:
    schedule = plan(catch_up="all", overlap="allow")
    assert len(pass_time(schedule, hours_ago=500)) == MOST_CAUGHT_UP
    assert [kind for kind, _ in told(schedule)].count("missed") == 1


def test_none_starts_a_time_that_is_only_just_past(plan: Set) -> None:
    assert len(pass_time(plan(catch_up="none"), seconds=20)) == 1


# --- while the last one goes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("overlap", "runs"), [("skip", 0), ("wait", 0), ("allow", 1)])
def test_beside_a_run_that_still_goes_another_begins_only_where_it_may(
    plan: Set, overlap: str, runs: int
) -> None:
    schedule = plan(overlap=overlap)
    pass_time(schedule)
    assert len(pass_time(schedule)) == runs
    last = {"skip": "skipped", "wait": "started", "allow": "started"}
    assert told(schedule)[-1][0] == last[overlap]


def test_one_that_waits_begins_when_the_last_has_ended(company: Company, plan: Set) -> None:
    schedule = plan(overlap="wait", catch_up="all")
    (first,) = pass_time(schedule, hours_ago=2, seconds=1)
    assert schedule.due_at == this_hour() - timedelta(hours=1), "the next is due, and waits"
    assert start_due(this_hour() + timedelta(seconds=2)) == 0
    cancel_run(actor=company.cast.application.service_account, run=first)
    company.drive(first)
    assert start_due(this_hour() + timedelta(seconds=30)) == 1
    assert Run.objects.count() == 2


# --- who may, and what holds then --------------------------------------------------------------------------------


def test_an_owner_who_may_start_it_no_more_starts_nothing(company: Company, plan: Set) -> None:
    schedule = plan()
    remove_perm("start_run", company.cast.application.service_account, company.cast.agent)
    assert pass_time(schedule) == []
    assert told(schedule) == [("refused", "agent_not_granted")]
    assert (schedule.state, schedule.refusals) == ("active", 1)


def test_after_a_few_refusals_in_a_row_it_rests(company: Company, plan: Set) -> None:
    schedule = plan()
    suspend_agent(actor=company.cast.ada, agent=company.cast.agent)
    for _ in range(REFUSALS_BEFORE_REST + 2):
        pass_time(schedule)
    assert told(schedule) == [("refused", "agent_not_active")] * REFUSALS_BEFORE_REST + [
        ("paused", "agent_not_active")
    ]
    assert (schedule.state, schedule.paused_for) == ("paused", "agent_not_active")


def test_one_that_was_started_meanwhile_is_counted_anew(company: Company, plan: Set) -> None:
    schedule = plan(overlap="allow")
    account = company.cast.application.service_account
    remove_perm("start_run", account, company.cast.agent)
    pass_time(schedule)
    assign_perm("start_run", account, company.cast.agent)
    pass_time(schedule)
    assert schedule.refusals == 0


def test_under_a_kill_switch_nothing_begins(company: Company, plan: Set) -> None:
    schedule = plan()
    throw_switch(actor=company.cast.ada, scope="everything", target="", reason="It burns.")
    assert pass_time(schedule) == []
    assert told(schedule) == [("refused", "everything_stopped")]


def key_of(company: Company) -> ApiKey:
    account = company.cast.application.service_account
    return issue_api_key(actor=company.cast.ada, user=account, label="cron")[0]


def test_what_was_set_with_a_key_ends_with_it(company: Company, plan: Set) -> None:
    key = key_of(company)
    schedule = plan(credential=key, overlap="allow")
    (run,) = pass_time(schedule)
    assert run.credential == key
    revoke_api_key(actor=company.cast.ada, key=key)
    assert pass_time(schedule) == []
    assert schedule.paused_for == "key_revoked"


def test_without_the_look_at_its_key_it_would_start(
    company: Company, plan: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = key_of(company)
    schedule = plan(credential=key)
    revoke_api_key(actor=company.cast.ada, key=key)
    rewrite(monkeypatch, firing, "_check_standing", 'standing != "active"', "False")
    assert len(pass_time(schedule)) == 1


def test_a_pinned_one_rests_once_another_version_is_published(company: Company, plan: Set) -> None:
    schedule = plan(pinned=True, overlap="allow")
    (run,) = pass_time(schedule)
    assert run.agent_version == schedule.agent_version
    assert company.published is not None
    retire_version(actor=company.cast.ada, version=company.published)
    company.publish(number=2, price=False)
    assert pass_time(schedule) == []
    assert (schedule.state, schedule.paused_for) == ("paused", "version_changed")
    assert Run.objects.count() == 1, "what was begun for the look was taken back"


# --- at once, and in the middle -----------------------------------------------------------------------------------


def look_at_once(count: int) -> None:
    """Have so many workers look for what is due at the same moment."""
    now, gun = this_hour(), threading.Barrier(count)

    def look() -> None:
        gun.wait()
        try:
            start_due(now)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_many_who_look_at_the_same_moment_start_one(plan: Set) -> None:
    schedule = make_due(plan(overlap="allow"))
    look_at_once(6)
    assert Run.objects.count() == 1
    assert told(schedule) == [("started", None)]


@pytest.mark.django_db(transaction=True)
def test_without_its_lock_two_would_start_one_each(plan: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    make_due(plan(overlap="allow"))
    lock = '.select_for_update(of=("self",), no_key=True)'
    rewrite(monkeypatch, firing, "_lock", lock, "")
    both, real = threading.Barrier(2), firing._start

    def start(*values: Any) -> Run | None:  # Any: whatever it is given
        both.wait(20)
        return real(*values)

    monkeypatch.setattr(firing, "_start", start)
    look_at_once(2)
    assert Run.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_one_that_dies_between_the_run_and_the_winding_on_leaves_neither(
    plan: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = make_due(plan())

    def die(*_: object) -> None:
        connection.close()  # as the server sees a killed process
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(firing, "_wind_on", die)
        with pytest.raises(SystemExit):
            start_due(this_hour())
    assert not Run.objects.exists()
    assert start_due(this_hour()) == 1
    assert told(schedule) == [("started", None)]


@pytest.mark.django_db(transaction=True)
def test_one_that_breaks_keeps_no_other_from_its_turn(plan: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = make_due(plan(name="Broken", message="Break."), 1), make_due(plan(name="Fine"))
    real = start_run

    def start(**values: Any) -> Run:  # Any: whatever it is given
        if values["message"] == "Break.":
            Schedule.objects.filter(pk=broken.pk).update(name="half done")
            raise RuntimeError("a fault of ours")
        return real(**values)

    monkeypatch.setattr(firing, "start_run", start)
    assert start_due(this_hour()) == 1
    broken.refresh_from_db()
    fine.refresh_from_db()
    assert (broken.name, broken.last_run, broken.starts_at > timezone.now()) == ("Broken", None, True)
    assert fine.last_run is not None
