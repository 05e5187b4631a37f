"""Who may set, change, pause, resume and end a schedule, what of it is refused, and what is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from guardian.shortcuts import remove_perm

from agentops.errors import AgentOpsError
from identities.models import STAFF_ISSUER, User
from runs.erasure import erase_principal
from runs.models import Run, Schedule
from runs.schedules import services
from runs.schedules.services import change_schedule, end_schedule, pause_schedule, resume_schedule
from tests.rewriting import rewrite
from tests.runs.company import SUBJECT, Company
from tests.runs.schedules.conftest import HOURLY, Set, pass_time, told


def refusal(deed: Any) -> str:  # Any: a call
    with pytest.raises(AgentOpsError) as refused:
        deed()
    return refused.value.code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "bad_name"), ({"name": "x" * 81}, "bad_name"), ({"name": "a\u202eb"}, "bad_name"),
        ({"message": " "}, "message_missing"), ({"message": "x" * 2_000_000}, "message_too_long"),
        ({"cron": "every day"}, "bad_cron"), ({"cron": "0 " * 60}, "bad_cron"), ({"timezone": "Mars"}, "bad_timezone"),
        ({"spread_s": -1}, "bad_spread"), ({"spread_s": 3_601}, "bad_spread"), ({"overlap": "kill"}, "bad_choice"),
        ({"catch_up": ""}, "bad_choice"), ({"mode": "dream"}, "bad_choice"), ({"priority": 7}, "bad_choice"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(plan: Set, changes: dict[str, Any], code: str) -> None:
    assert refusal(lambda: plan(**changes)) == code
    assert not Schedule.objects.exists()


def test_who_could_not_start_it_cannot_set_it(company: Company, plan: Set) -> None:
    company.publish()
    remove_perm("start_run", company.cast.application.service_account, company.cast.agent)
    assert refusal(plan) == "agent_not_granted"


def test_without_that_look_it_would_be_set(
    company: Company, plan: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.publish()
    remove_perm("start_run", company.cast.application.service_account, company.cast.agent)
    look = "may_start(actor, agent, application, (issuer, subject)).enforce()"
    rewrite(monkeypatch, services, "create_schedule", look, "pass")
    services.create_schedule(
        actor=company.cast.application.service_account, agent=company.cast.agent, task=HOURLY,
        principal=("https://shop.example", SUBJECT),
    )  # fmt: skip
    assert Schedule.objects.exists()


def test_a_person_sets_one_in_their_own_name_only(company: Company, plan: Set) -> None:
    company.publish(principal_source="staff")
    ada = company.cast.ada
    mine = plan(actor=ada, principal=None)
    assert (mine.principal.issuer, mine.principal.subject) == (STAFF_ISSUER, ada.username)
    (run,) = pass_time(mine)
    assert (run.started_by, run.proof) == (ada, "staff")
    assert refusal(lambda: plan(actor=ada, principal=(STAFF_ISSUER, "fiona"))) == "principal_not_proven"


def test_an_agent_for_users_is_no_persons_to_schedule(company: Company, plan: Set) -> None:
    assert refusal(lambda: plan(actor=company.cast.ada, principal=None)) == "application_only"


def test_a_name_is_taken_once_until_it_has_ended(company: Company, plan: Set) -> None:
    first = plan()
    assert refusal(plan) == "name_taken"
    end_schedule(actor=first.owner, schedule=first)
    plan()


def test_a_change_takes_no_name_that_another_has_and_may_keep_its_own(company: Company, plan: Set) -> None:
    plan(name="One")
    second = plan(name="Two")
    taken = replace(HOURLY, name="One")
    assert refusal(lambda: change_schedule(actor=second.owner, schedule=second, task=taken)) == "name_taken"
    kept = replace(HOURLY, name="Two", cron="30 * * * *")
    assert change_schedule(actor=second.owner, schedule=second, task=kept).cron == "30 * * * *"


def test_an_owner_has_so_many_and_no_more(plan: Set, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST_OF_AN_OWNER", 2)
    plan(name="One")
    plan(name="Two")
    assert refusal(lambda: plan(name="Three")) == "too_many_schedules"


def account_of(company: Company) -> User:
    account: User = company.cast.application.service_account
    return account


def test_only_its_owner_says_what_is_done_in_their_name(company: Company, plan: Set) -> None:
    schedule = plan()
    other = replace(HOURLY, message="Refund everything.")
    ada = company.cast.ada  # a superuser
    assert refusal(lambda: change_schedule(actor=ada, schedule=schedule, task=other)) == "not_its_owner"
    pause_schedule(actor=ada, schedule=schedule, reason="Too many.")
    assert refusal(lambda: resume_schedule(actor=ada, schedule=schedule)) == "not_its_owner"
    changed = change_schedule(actor=account_of(company), schedule=schedule, task=other)
    assert (changed.message, changed.state) == ("Refund everything.", "paused")
    assert resume_schedule(actor=account_of(company), schedule=schedule).state == "active"
    assert told(schedule) == [("paused", "by_a_person"), ("changed", None), ("resumed", None)]


def test_without_that_look_a_superuser_would(
    company: Company, plan: Set, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = plan()
    rewrite(monkeypatch, services, "may_change", "schedule.owner_id == actor.pk", "True")
    change_schedule(actor=company.cast.ada, schedule=schedule, task=replace(HOURLY, message="Other."))
    schedule.refresh_from_db()
    assert schedule.message == "Other."


def test_colleagues_who_steer_runs_pause_and_end_it_and_strangers_do_not(company: Company, plan: Set) -> None:
    schedule, cast = plan(), company.cast
    assert refusal(lambda: pause_schedule(actor=cast.charlie, schedule=schedule)) == "not_visible"
    assert refusal(lambda: end_schedule(actor=cast.fiona, schedule=schedule)) == "not_permitted"
    assert end_schedule(actor=cast.ada, schedule=schedule).state == "ended"
    for deed in (end_schedule, pause_schedule, resume_schedule):
        assert refusal(lambda deed=deed: deed(actor=account_of(company), schedule=schedule)) in (
            "schedule_ended", "not_active", "not_paused",
        )  # fmt: skip
    assert pass_time(schedule) == []


def test_what_is_paused_begins_nothing_and_goes_on_with_its_next_time(company: Company, plan: Set) -> None:
    schedule = plan()
    pause_schedule(actor=account_of(company), schedule=schedule)
    assert pass_time(schedule, hours_ago=3) == []
    resume_schedule(actor=account_of(company), schedule=schedule)
    schedule.refresh_from_db()
    assert (
        not Schedule.objects.due(schedule.due_at.replace(minute=0))
        .filter(due_at__lt=schedule.due_at)
        .exists()
    )
    assert not Run.objects.exists()


def test_who_is_erased_has_no_schedules_any_more(company: Company, plan: Set) -> None:
    schedule = plan(message="Remind Ann Lee of her kettle.")
    erase_principal(actor=company.cast.ada, principal=schedule.principal, reason="They asked.")
    schedule.refresh_from_db()
    assert (schedule.state, schedule.message) == ("ended", "")
    assert pass_time(schedule) == []


def test_what_it_said_is_erased_from_the_record_too(company: Company, plan: Set) -> None:
    schedule = plan(message="Remind Ann Lee of her kettle.")
    erase_principal(actor=company.cast.ada, principal=schedule.principal, reason="They asked.")
    entries = company.entries(schedule)  # type: ignore[arg-type]  # whose stream has its id
    assert all("Ann Lee" not in str(entry) for entry in entries)
