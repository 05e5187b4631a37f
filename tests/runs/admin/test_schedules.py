"""Schedules in the console: set in one's own name, paused by colleagues, resumed by their owner, ended."""

from __future__ import annotations

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from runs.models import Schedule
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]

MODEL = "runs_schedule"


@pytest.fixture
def alice(company: Company) -> Client:
    """Return Alice's window, who may start the agent in her own name."""
    company.publish(principal_source="staff")
    assign_perm("identities.start_run", company.cast.alice, company.cast.agent)
    return sign_in(company.cast.alice)


def send(client: Client, company: Company, **changes: str) -> Page:
    form = {
        "agent": str(company.cast.agent.pk), "name": "Morning report", "message": "Report <b>what</b> is open.",
        "cron": "0 9 * * 1-5", "timezone": "Europe/Berlin", "catch_up": "last", "overlap": "skip", "spread_s": "0",
    }  # fmt: skip
    return client.post(page_of(MODEL, "add"), {**form, **changes})


def act(client: Client, schedule: Schedule, action: str, **more: str) -> Page:
    chosen = {"action": action, "_selected_action": str(schedule.pk), "confirmed": "1", "reason": "", **more}
    return client.post(page_of(MODEL, "changelist"), chosen)


def test_the_form_sets_one_and_its_page_says_when_and_in_whose_name(company: Company, alice: Client) -> None:
    page = send(alice, company, pinned="on")
    schedule = Schedule.objects.get()
    assert page["Location"] == page_of(MODEL, "change", schedule.pk)
    assert (schedule.owner, schedule.agent_version) == (company.cast.alice, company.published)
    shown = alice.get(page["Location"])
    told = text_of(shown)
    for words in (
        "At 09:00 on Monday through Friday (Europe/Berlin)",
        "Start once, for the last of them",
        "1 only",
    ):
        assert words in told
    assert "Report &lt;b&gt;what&lt;/b&gt; is open." in shown.content.decode()
    assert "Morning report" in text_of(alice.get(page_of(MODEL, "changelist")))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cron": "every day"}, "five fields"), ({"cron": "0 0 31 2 *"}, "day-of-month"),
        ({"timezone": "Mars"}, "A time zone is named like"), ({"message": " "}, "required"),
        ({"spread_s": "3601"}, "less than or equal to 3600"), ({"name": "x" * 81}, "at most 80"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_at_the_form(
    company: Company, alice: Client, changes: dict[str, str], told: str
) -> None:
    page = send(alice, company, **changes)
    assert page.status_code == 422
    assert told.casefold() in text_of(page).casefold()
    assert not Schedule.objects.exists()


def test_who_may_start_nothing_gets_no_form(company: Company, alice: Client) -> None:
    fiona = sign_in(company.cast.fiona)
    assert fiona.get(page_of(MODEL, "add"))["Location"] == page_of(MODEL, "changelist")
    send(fiona, company)
    assert not Schedule.objects.exists()


def test_a_colleague_pauses_and_its_owner_resumes(company: Company, alice: Client) -> None:
    send(alice, company)
    schedule, ada = Schedule.objects.get(), sign_in(company.cast.ada)
    act(ada, schedule, "pause", reason="Too many.")
    schedule.refresh_from_db()
    assert (schedule.state, schedule.paused_for) == ("paused", "by_a_person")
    assert "by a person" in text_of(ada.get(page_of(MODEL, "change", schedule.pk)))
    assert "only its owner" in text_of(act(ada, schedule, "resume")) + text_of(
        ada.get(page_of(MODEL, "changelist"))
    )
    schedule.refresh_from_db()
    assert schedule.state == "paused"
    act(alice, schedule, "resume")
    act(alice, schedule, "end")
    schedule.refresh_from_db()
    assert schedule.state == "ended"


def test_its_record_is_on_the_ledgers_page(company: Company, alice: Client) -> None:
    send(alice, company)
    schedule = Schedule.objects.get()
    assert "schedule.set" in alice.get(page_of("ledger_stream", "change", schedule.pk)).content.decode()
