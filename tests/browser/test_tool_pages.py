"""The page of a tool, looked at and worked with: numbers lead to calls, a trial calls nothing, a breaker is told."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.visitor import NARROW, WIDE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def called(demo: Demo) -> str:
    """Have a run that has called tools; return its id."""
    return demo.ask_refund("A-1044")[0]


def open_tool(visitor: Visitor, name: str) -> str:
    """Open a tool's page by its name; return its id."""
    visitor.go(f"/admin/tools/tool/?q={name}")
    visitor.page.get_by_role("link", name=name, exact=True).click()
    found = re.search(r"/tool/([0-9a-f-]{36})/", visitor.page.url)
    assert found is not None
    return found.group(1)


def wait_for_calls(visitor: Visitor, run: str) -> None:
    visitor.go(f"/admin/runs/run/{run}/change/")
    visitor.page.locator("h1 .badge", has_text="requires action").wait_for()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_numbers_lead_to_calls_and_calls_to_their_run(
    visit: Open, called: str, size: tuple[int, int]
) -> None:
    ada = visit("ada", size=size)
    wait_for_calls(ada, called)
    open_tool(ada, "get_order")
    for words in ("Who holds it", "Refunds agent", "Calls and outcomes", "The last 30 days", "p95"):
        ada.sees(words)
    assert ada.overflow() <= 0
    row = ada.page.locator("tr", has=ada.page.locator("th", has_text="succeeded")).first
    row.locator("a").first.click()
    ada.sees("Calls of get_order")
    assert ada.overflow() <= 0
    ada.page.locator("a", has_text="step").first.click()
    assert "/admin/runs/run/" in ada.page.url


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_trial_says_everything_and_does_nothing(demo: Demo, visit: Open, size: tuple[int, int]) -> None:
    before = len(demo.effects())
    ada = visit("ada", size=size)
    open_tool(ada, "refund_payment")
    ada.page.get_by_role("link", name="Try it as yourself").click()
    # Another test may have set up a second agent that holds this tool: then nobody is chosen yet.
    ada.page.select_option("[name=agent]", label="Refunds agent")
    ada.page.get_by_label("order_id").fill("A-1044")
    ada.page.get_by_label("reason").select_option(label="damaged")
    ada.page.get_by_role("button", name="See what would happen").click()
    ada.sees("is missing")
    ada.page.get_by_label("All arguments as JSON").fill(
        '{"order_id": "A-1044", "amount": "10.00", "reason": "damaged"}'
    )
    ada.page.get_by_role("button", name="See what would happen").click()
    ada.sees("/tools/refund_payment")
    ada.sees("By whose authority")
    assert ada.overflow() <= 0
    assert len(demo.effects()) == before


def test_who_stopped_a_tool_stands_in_its_history(visit: Open) -> None:
    ada = visit("ada")
    tool = open_tool(ada, "search_products")
    ada.page.get_by_role("button", name="Stop all calls").click()
    ada.page.fill("[name=reason]", "The shop moves house.")
    ada.page.click("button.primary")
    ada.go(f"/admin/tools/tool/{tool}/change/")
    ada.sees("The shop moves house.")
    ada.page.get_by_role("button", name="Let calls through again").click()
    ada.page.click("button.primary")
    ada.go(f"/admin/tools/tool/{tool}/change/")
    history = ada.page.locator("section", has=ada.page.locator("h2", has_text="Breaker"))
    assert history.locator("svg.strip .span-forced_open").count() == 1
    assert history.locator("tbody tr").count() == 2
    ada.take_picture("tool-breaker")
