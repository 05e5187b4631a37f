"""Pages that lie open while the world moves on: a double click, a second tab, the way back, a call that is no more."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import INBOX, request_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_double_click_decides_once(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, _ = demo.ask_refund("A-1045", line=1)
    fiona = visit("fiona")
    fiona.go(request_page(demo.await_request(run)))
    fiona.page.dblclick("[data-verdict=approve]")
    fiona.sees("You approved this")
    fiona.page.locator("#request-after", has_text="The call: succeeded").first.wait_for()
    assert not fiona.page.locator(".errornote:visible").count()
    assert fiona.page.locator("#decision p", has_text="approved this").count() == 1
    assert len(demo.effects()) == before + 1


def test_the_way_back_leads_to_what_counts(demo: Demo, visit: Open) -> None:
    run, _ = demo.ask_refund("A-1032", line=1)
    asked = request_page(demo.await_request(run))
    fiona, tab = visit("fiona"), visit("fiona")
    fiona.go(asked)
    fiona.page.fill("#reason", "I look at the photo first.")
    fiona.go("/admin/")
    tab.go(asked)
    tab.page.fill("#reason", "No photo.")
    tab.page.click("[data-verdict=deny]")
    tab.sees("You denied this")
    fiona.page.go_back()
    fiona.sees("fiona denied this")
    assert not fiona.page.locator("[data-verdict]").count()
    tab.go("/admin/")
    tab.page.go_back()
    tab.sees("fiona denied this")
    assert not tab.page.locator("[data-verdict]").count()


def test_an_old_page_decides_nothing_and_says_what_to_do(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    run, _ = demo.ask_refund("A-1037", line=1)
    fiona = visit("fiona")
    fiona.go(request_page(demo.await_request(run)))
    fiona.page.fill("#reason", "The photo shows it.")  # while somebody writes, the form is left alone
    demo.cancel(run)
    fiona.page.locator("#reason").wait_for()
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("This request was withdrawn; if it is still wanted, people are asked anew")
    fiona.sees("Your decision was not recorded; what counts stands below.")
    assert len(demo.effects()) == before


def test_the_list_follows_what_happens(demo: Demo, visit: Open) -> None:
    fiona, tab = visit("fiona"), visit("fiona")
    fiona.go(INBOX)
    fiona.page.evaluate("window.notReloaded = true")
    run, _ = demo.ask_refund("A-1035", line=1)
    asked = demo.await_request(run)
    row = fiona.page.locator(f'.queue a[data-request="{asked}"]')
    row.wait_for()
    tab.go(request_page(asked))
    tab.page.fill("#reason", "No photo.")
    tab.page.click("[data-verdict=deny]")
    tab.sees("You denied this")
    row.wait_for(state="detached")
    assert fiona.page.evaluate("window.notReloaded")
