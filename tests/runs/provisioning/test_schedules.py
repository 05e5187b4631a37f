"""Schedules in a document: set in the name of whoever applies it, once, changed, paused, ended, and left alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentops.errors import PolicyDenied, ValidationFailed
from identities.models import User
from runs.models import AgentVersion, Priority, Schedule
from runs.provisioning import apply_document
from runs.provisioning.plan import Plan
from runs.schedules.services import pause_schedule
from tests.runs.provisioning.document import BASE, VARIABLES

pytestmark = [pytest.mark.setup, pytest.mark.slow]

REPORT = {"name": "Report", "agent": "desk-agent", "cron": "0 9 * * 1-5", "message": "Report what is open."}


def apply(ada: User, *listed: dict[str, Any], dry_run: bool = False, **version: str) -> Plan:
    told = yaml.safe_load(BASE)
    told["versions"]["desk-agent"] |= {"principal_source": "staff", **version}
    told["schedules"] = list(listed)
    return apply_document(actor=ada, text=yaml.safe_dump(told), variables=VARIABLES, dry_run=dry_run)


def only() -> Schedule:
    return Schedule.objects.exclude(state="ended").get()


def test_it_is_set_once_changed_and_left_alone(ada: User) -> None:
    assert "schedule" in str(apply(ada, REPORT, dry_run=True))
    assert not Schedule.objects.exists()
    apply(ada, REPORT)
    made = only()
    assert (made.owner, made.principal.subject, made.state, made.priority) == (
        ada,
        "ada",
        "active",
        Priority.NORMAL,
    )
    assert apply(ada, REPORT).is_empty

    plan = apply(ada, {**REPORT, "cron": "0 8 * * *", "timezone": "Europe/Berlin", "priority": "low"})
    assert "cron: 0 9 * * 1-5 → 0 8 * * *" in str(plan)
    assert (only().pk, only().timezone) == (made.pk, "Europe/Berlin")
    assert apply(ada).is_empty, "what is not listed stays"
    assert only().pk == made.pk


def test_its_state_is_moved_only_where_the_document_says_so(ada: User) -> None:
    apply(ada, {**REPORT, "state": "paused"})
    assert only().state == "paused"
    assert apply(ada, REPORT).is_empty
    apply(ada, {**REPORT, "state": "active"})
    pause_schedule(actor=ada, schedule=only())
    assert apply(ada, REPORT).is_empty, "somebody paused it, and the document does not say otherwise"
    assert "state: paused → ended" in str(apply(ada, {**REPORT, "state": "ended"}))
    assert Schedule.objects.get().state == "ended"
    assert apply(ada, {"name": "Report", "agent": "desk-agent", "state": "ended"}).is_empty


def test_one_that_is_pinned_follows_the_document(ada: User) -> None:
    apply(ada, {**REPORT, "pinned": True})
    first = only().agent_version
    assert apply(ada, {**REPORT, "pinned": True}).is_empty
    apply(ada, {**REPORT, "pinned": True}, instructions="Help, and be brief.")
    assert only().agent_version == AgentVersion.objects.get(state="published") != first


def test_somebody_else_s_is_not_touched(ada: User) -> None:
    apply(ada, REPORT)
    other = User.objects.create_superuser("olga")
    apply(other, {**REPORT, "cron": "0 7 * * *"})
    assert {(row.owner.username, row.cron) for row in Schedule.objects.all()} == {
        ("ada", "0 9 * * 1-5"),
        ("olga", "0 7 * * *"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"cron": "never"},
        {"cron": None},
        {"timezone": "Europe/Nowhere"},
        {"agent": "nobody"},
        {"message": "  "},
        {"spread_s": 3601},
        {"catch_up": "some"},
        {"state": "gone"},
        {"owner": "hugo"},
        {"priority": 1},
    ],
)
def test_what_is_no_schedule_is_refused(ada: User, change: dict[str, Any]) -> None:
    entry = {name: value for name, value in {**REPORT, **change}.items() if value is not None}
    with pytest.raises(ValidationFailed):
        apply(ada, entry)
    assert not Schedule.objects.exists()


def test_a_file_gives_nobody_the_right_to_start(ada: User) -> None:
    """A superuser may set everything up; whether the task could be begun by hand is asked all the same."""
    with pytest.raises(PolicyDenied, match="application_only: schedules/0"):
        apply(ada, REPORT, principal_source="application")
    assert not Schedule.objects.exists()
