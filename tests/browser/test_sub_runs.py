"""One agent gives another a task: what the child asks people surfaces on its parent's page, and a tree shows both."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.desk import Desk
from tests.browser.platform import Demo
from tests.browser.test_story import run_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_what_a_child_asks_is_decided_from_its_parents_page(demo: Demo, desk: Desk, visit: Open) -> None:
    before = len(demo.effects())
    run, subject = desk.ask_through_a_supervisor("A-1042", 1)
    fiona = visit("fiona")
    fiona.go(run_page(run))
    asked = fiona.page.locator(".awaited", has_text="That one waits for people")
    asked.wait_for()  # by itself
    tree = fiona.page.locator("#family tbody tr")
    assert ["Supervisor" in row for row in tree.all_inner_texts()] == [True, False]
    assert tree.nth(1).get_by_role("link", name="Refunds agent").count() == 1
    assert tree.nth(1).get_by_role("link", name="open the request").count() == 1
    fiona.take_both("sub-runs", height=1_100)

    asked.get_by_role("link", name="Open the request").click()
    fiona.page.locator("#request", has_text=f"On behalf of {subject}").wait_for()
    fiona.page.locator("#acts-for", has_text="It was given this task by Supervisor.").wait_for()
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("You approved this")
    fiona.page.locator("#request-after", has_text="The call: succeeded").first.wait_for()
    assert len(demo.effects()) == before + 1
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("The refunds agent has seen to it.")
    assert tree.locator(".badge", has_text="completed").count() == 2
    fiona.take_both("sub-runs-done", height=1_300)
