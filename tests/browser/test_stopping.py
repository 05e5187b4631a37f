"""Everything is stopped at the click: a drill first, then in earnest, and lifted again."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import run_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STOP = "/admin/runs/stop/add/"


def test_everything_is_exercised_stopped_and_lifted(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, _ = demo.ask_refund("A-1040")
    ada = visit("ada")
    ada.go(run_page(run))
    ada.page.locator("h1 .badge", has_text="requires action").wait_for()

    ada.go(STOP)
    ada.page.fill("[name=reason]", "A quarterly exercise.")
    ada.page.check("[name=drill]")
    ada.take_picture("stop-form")
    ada.page.click("button.primary")
    ada.sees("That was a drill: nothing was stopped.")
    ada.take_picture("stop-drill")

    ada.go(STOP)
    ada.page.fill("[name=reason]", "Refunds go to the wrong people.")
    ada.page.click("button.primary")
    ada.sees("Stopped.")
    ada.go(run_page(run))
    ada.page.locator("h1 .badge", has_text="halted").wait_for()
    ada.take_picture("stop-run")
    ada.go("/admin/")
    ada.sees("Kill switches")
    ada.take_picture("stop-dashboard")
    assert len(demo.effects()) == before

    ada.page.locator(".panel a", has_text="Everything").first.click()
    ada.page.get_by_role("button", name="Lift").click()
    ada.page.fill("[name=reason]", "Mended.")
    ada.take_picture("stop-lift")
    ada.page.click("button.primary")
    ada.sees("1 kill switch lifted.")


def test_what_if_is_answered_with_reasons(demo: Demo, visit: Open) -> None:
    ada = visit("ada")
    ada.go("/admin/identities/agentidentity/")
    ada.page.locator("#result_list tbody a").first.click()
    ada.page.locator("a", has_text="What if").first.click()
    ada.page.fill("[name=arguments]", "{}")
    ada.page.click("button.primary")
    ada.sees("It would be refused: invalid arguments")
    ada.take_picture("what-if")
