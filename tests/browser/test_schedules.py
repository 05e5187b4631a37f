"""An agent is started by the clock: set in the console, started when it is due, paused, and ended."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.desk import REPORT, Desk
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LIST = "/admin/runs/schedule/"


def test_a_report_is_had_by_the_clock_until_it_is_ended(desk: Desk, visit: Open) -> None:
    desk.play_reports()
    ada = visit("ada")
    ada.go(LIST)
    ada.sees("nothing starts by the clock")
    ada.take_both("schedules-none")
    ada.page.get_by_role("link", name="Set a schedule").click()
    fill_in(ada, cron="61 * * * *")
    ada.page.get_by_role("button", name="Set it").click()
    assert ada.page.locator(".errornote, .errorlist").first.inner_text()
    assert ada.page.input_value("[name=message]") == REPORT  # nothing has to be written twice
    ada.take_both("schedule-refused", height=1_100)
    ada.page.fill("[name=cron]", "* * * * *")
    ada.page.get_by_role("button", name="Set it").click()
    ada.sees("whichever is published")
    ada.take_both("schedule")
    page = ada.page.url

    begun = ada.page.get_by_role("link", name="completed")
    for _ in range(180):  # it is due within a minute, however slow the machine is
        if begun.count():
            break
        ada.page.wait_for_timeout(1_000)
        ada.page.goto(page)
    begun.click()
    ada.sees("Order A-1047 was delivered.")

    ada.page.goto(page)
    ada.page.get_by_role("button", name="Pause").click()
    ada.page.fill("[name=reason]", "The shop is closed.")
    ada.page.get_by_role("button", name="Yes, go on").click()
    ada.page.goto(page)
    ada.sees("paused")
    ada.page.get_by_role("button", name="End").click()
    ada.take_both("schedule-ending")
    ada.page.get_by_role("button", name="Yes, go on").click()
    ada.page.goto(page)
    assert not ada.page.get_by_role("button", name="Resume").count()
    ada.go(LIST)
    ada.page.locator("#result_list .badge", has_text="ended").wait_for()


def test_who_may_start_nothing_is_told_why(desk: Desk, visit: Open) -> None:
    fiona = visit("fiona")
    fiona.go(f"{LIST}add/")
    fiona.sees("There is no agent that you may start in your own name")
    fiona.sees("ask who administers your team's agents")


def fill_in(ada: Visitor, cron: str) -> None:
    """Fill in a schedule of the reporter."""
    ada.page.select_option("[name=agent]", label="Reporter")
    ada.page.fill("[name=name]", "Morning report")
    ada.page.fill("[name=message]", REPORT)
    ada.page.fill("[name=cron]", cron)
