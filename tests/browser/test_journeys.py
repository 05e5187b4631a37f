"""Journeys of those who look over what was decided: whether the record holds, and how people decide."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import open_request

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_the_newest_of_the_record_is_verified(visit: Open) -> None:
    ada = visit("ada")
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
