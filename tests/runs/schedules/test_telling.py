"""That a schedule rests is told: to its application, or to those of the team who can do something about it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.test import override_settings

from approvals.models import MailPreference, Notice
from approvals.notices.channels import create_channel
from approvals.notices.spreading import spread
from identities.services import suspend_agent
from runs.schedules.firing import REFUSALS_BEFORE_REST
from runs.schedules.services import pause_schedule
from runs.schedules.telling import SCHEDULE_PAUSED
from tests.runs.company import Company
from tests.runs.schedules.conftest import Set, pass_time
from tests.verbs import place_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_its_application_hears_of_it_once(company: Company, plan: Set) -> None:
    cast, place = company.cast, place_of()
    of_it = replace(place, kinds=(SCHEDULE_PAUSED,), application=cast.application)
    create_channel(actor=cast.ada, team=cast.team, place=of_it)
    schedule = plan()
    suspend_agent(actor=cast.ada, agent=cast.agent)
    for _ in range(REFUSALS_BEFORE_REST + 1):
        pass_time(schedule)
    notice = Notice.objects.get()
    assert (notice.application, notice.subject) == (cast.application, schedule.pk)
    assert notice.facts == {
        "schedule": str(schedule.pk),
        "agent": cast.agent.slug,
        "reason": "agent_not_active",
    }


def test_of_a_persons_those_are_written_to_who_may_steer_runs(company: Company, plan: Set) -> None:
    cast = company.cast
    company.publish(principal_source="staff")
    for person in (cast.ada, cast.fiona):
        MailPreference.objects.create(user=person, address=f"{person}@example.com", kinds=[SCHEDULE_PAUSED])
    cast.team.members.add(cast.ada)
    with override_settings(MAIL_FROM="agentops@example.com"):
        schedule = plan(actor=cast.ada, principal=None)
        suspend_agent(actor=cast.ada, agent=cast.agent)
        for _ in range(REFUSALS_BEFORE_REST):
            pass_time(schedule)
        notice = Notice.objects.get()
        spread(notice.pk)
    assert [delivery.person for delivery in notice.deliveries.all()] == [cast.ada]


def test_what_a_person_paused_is_no_news(company: Company, plan: Set) -> None:
    create_channel(
        actor=company.cast.ada, team=company.cast.team, place=replace(place_of(), kinds=(SCHEDULE_PAUSED,))
    )
    pause_schedule(actor=company.cast.application.service_account, schedule=plan())
    assert not Notice.objects.exists()
