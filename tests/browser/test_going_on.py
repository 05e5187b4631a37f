"""A run at its limit asks to go on: a person reads what it has done, and gives it some more."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.desk import MANY_ORDERS, Desk
from tests.browser.test_story import run_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_run_is_given_two_more_steps_and_ends(desk: Desk, visit: Open) -> None:
    run = desk.ask_too_much()
    oscar, fiona = visit("oscar"), visit("fiona")
    oscar.go(run_page(run))
    oscar.page.get_by_role(
        "link", name="Open the question"
    ).click()  # there by itself, when it has come that far
    oscar.sees(MANY_ORDERS)
    oscar.sees("nothing was changed in the world")
    oscar.sees("I have read 2 of 4 orders.")
    oscar.sees("at most 3")
    oscar.take_both("extension", height=1_000)

    fiona.go("/admin/runs/extension/")
    fiona.page.locator("#result_list tbody a").first.click()
    fiona.sees("that takes the right runs.extend_budget in team support, which a superuser gives")
    assert not fiona.page.locator("[name=verdict]").count()

    page = oscar.page
    page.get_by_label("Steps to give").fill("4")
    page.get_by_role("button", name="Let it go on").click()
    assert page.evaluate("!document.querySelector('[name=steps]').checkValidity()")  # the browser stops it
    page.get_by_label("Steps to give").fill("2")
    page.get_by_label("Money to give").fill("0")
    page.fill("#reason", "Two orders are left.")
    page.get_by_role("button", name="Let it go on").click()
    oscar.sees("Granted: the run goes on.")
    oscar.take_both("extension-granted")
    oscar.go(run_page(run))
    page.locator("h1 .badge", has_text="completed").wait_for()
    oscar.sees("Order A-1034 came last.")
    assert "of 5" in page.locator(".meters div").first.inner_text()
    assert "of 1.00" in page.locator(".meters div").nth(2).inner_text()
    oscar.take_both("run-extended", height=1_400)
