"""Decisions beyond yes and no: edit the call and approve it, or ask the agent first and read its answer."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import open_request, run_page
from tests.browser.visitor import NARROW

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_refund_is_edited_looked_at_and_made_like_that(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, subject = demo.ask_refund("A-1048")
    fiona = visit("fiona", size=NARROW)
    open_request(fiona, subject)
    assert fiona.overflow() == 0
    fiona.page.click("[data-key=e]")
    assert fiona.overflow() == 0
    fiona.page.get_by_label("amount").fill("1.00")
    fiona.page.get_by_role("button", name="See what it would be").click()
    fiona.sees("by approving it here you give yours")
    assert fiona.overflow() == 0
    fiona.take_picture("edit")
    assert len(demo.effects()) == before
    fiona.page.fill("#reason", "A scratch, not a break.")
    fiona.page.click("[data-verdict=edit]")
    fiona.sees("You edited the call")
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("refund_payment: edited by a person, amount")
    fiona.sees("1.00 USD are on their way back")
    assert len(demo.effects()) == before + 1


def test_the_agent_is_asked_and_answers_with_another_request(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, subject = demo.ask_refund("A-1046")
    fiona = visit("fiona")
    open_request(fiona, subject)
    fiona.page.fill("#reason", "Is it really theirs?")
    fiona.page.click("[data-verdict=ask]")
    fiona.sees("You asked the agent about this")
    open_request(fiona, subject)
    fiona.sees("The agent was asked before")
    fiona.sees("I ask for its price and no more")
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("You approved this")
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("asks back before deciding")
    assert len(demo.effects()) == before + 1
