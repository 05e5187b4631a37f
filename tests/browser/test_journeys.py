"""Journeys of those who decide: two who have to, nobody who does, and whether the record of it holds."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import open_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# As much as nothing that another test decides about, so that nobody else waits for a second person.
TWO = """
from approvals.models import ApprovalRule
from django.contrib.auth.models import Group
from identities.models import Team, User
Group.objects.get(name="finance").user_set.add(User.objects.get(username="ada"))
ApprovalRule.objects.create(
    team=Team.objects.get(slug="support"), place=1, name="Much money", min_amount="149", currency="USD",
    stages=[{"needed": 2, "group": None, "escalate": []}], created_by=User.objects.get(username="ada"),
)
"""
TOO_LATE = """
from approvals.models import ApprovalRequest
from django.utils import timezone
ApprovalRequest.objects.filter(subject_ref="%s", state="waiting").update(expires_at=timezone.now())
"""


def test_two_people_say_yes_before_anything_happens(demo: Demo, visit: Open) -> None:
    demo.manage("shell", "-c", TWO)
    before = len(demo.effects())
    _, subject = demo.ask_refund("A-1046")
    fiona = visit("fiona")
    open_request(fiona, subject)
    fiona.sees("0 of 2 said yes")
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("1 of 2 said yes")
    fiona.sees("you have decided about this: it takes somebody else's yes")
    fiona.take_picture("quorum")
    assert len(demo.effects()) == before

    ada = visit("ada")
    open_request(ada, subject)
    ada.sees("fiona approved this")
    ada.page.click("[data-verdict=approve]")
    ada.sees("You approved this")
    ada.page.locator("#request-after", has_text="The call: succeeded").wait_for()
    assert len(demo.effects()) == before + 1


def test_nobody_answers_and_everybody_is_told(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, subject = demo.ask_refund("A-1048")
    fiona = visit("fiona")
    open_request(fiona, subject)
    fiona.sees("If nobody answers by")
    demo.manage("shell", "-c", TOO_LATE % run)
    fiona.sees("Nobody answered in time.")  # on the same page, by itself
    fiona.sees("and Refunds agent was told so")
    fiona.take_picture("expired")
    assert len(demo.effects()) == before


def test_the_record_of_it_is_verified(demo: Demo, visit: Open) -> None:
    run = demo.start_run("Where is my order A-1047?", "mallory@example.com")
    ada = visit("ada")
    ada.go(f"/admin/ledger/stream/{run}/change/")
    ada.page.get_by_role("button", name="Verify this stream").click()
    ada.page.locator(".messagelist .success").wait_for()
    ada.take_picture("verified")
    ada.go("/admin/ledger/stream/")
    ada.page.get_by_role("button", name="Verify the newest").click()
    ada.page.locator(".messagelist .success").wait_for()


def test_oversight_counts_what_was_decided(demo: Demo, visit: Open) -> None:
    _, subject = demo.ask_refund("A-1050")
    fiona = visit("fiona")
    open_request(fiona, subject)
    fiona.page.fill("#reason", "No photo.")
    fiona.page.click("[data-verdict=deny]")
    fiona.sees("You denied this")
    fiona.go("/admin/approvals/oversightrule/report/")
    row = fiona.page.locator("#oversight-people tr", has_text="fiona")
    row.wait_for()
    fiona.take_picture("oversight")
    row.locator("a").first.click()
    fiona.page.locator(".queue a[data-request]").first.wait_for()
