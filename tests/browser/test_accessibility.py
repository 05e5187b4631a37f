"""WCAG 2.2 AA as far as a machine can tell: axe finds nothing serious on any page, in either dress, at either width."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_pages import FORMS, LISTS, first_of
from tests.browser.test_story import open_request
from tests.browser.visitor import NARROW, WIDE, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def asked(demo: Demo) -> tuple[str, str]:
    """Have something to decide; return the run, and on whose behalf it asks."""
    return demo.ask_refund("A-1036")


@pytest.fixture
def subject(asked: tuple[str, str]) -> str:
    return asked[1]


@pytest.fixture
def run(asked: tuple[str, str]) -> str:
    return asked[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_grave_where_somebody_decides(
    visit: Open, subject: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    fiona = visit("fiona", size=size, scheme=scheme)
    open_request(fiona, subject)
    fiona.page.locator("#decision form").wait_for()
    for part in fiona.page.locator("#request summary").all():
        part.click()
    faults = fiona.find_faults()
    fiona.page.locator("#decision a.button", has_text="Edit").click()
    fiona.page.locator("h1").first.wait_for()
    faults += fiona.find_faults()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_nothing_grave_on_any_page(
    demo: Demo, visit: Open, run: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    ada = visit("ada", size=size, scheme=scheme)
    ada.go(f"/admin/runs/run/{run}/change/")
    ada.page.locator("h1 .badge", has_text="requires action").wait_for()
    objects = [address for listed in LISTS if (address := first_of(ada, listed))]
    stream = f"/admin/ledger/stream/{run}"
    others = ["/admin/", f"/admin/runs/run/{run}/change/", f"{stream}/change/", f"{stream}/1/"]
    others += [f"/admin/runs/run/{run}/prompt/1/", f"/admin/runs/run/compare/?one={run}"]
    others += [f"/admin/runs/run/{run}/replay/", f"/admin/runs/run/{run}/fork/"]
    pages = [f"/admin/{path}/" for path in (*LISTS, *FORMS)] + objects + others
    faults = []
    for path in pages:
        ada.go(path)
        faults += [f"{path} {fault}" for fault in ada.find_faults()]
    assert not faults, "\n".join(faults)


def test_a_page_with_a_fault_is_found_out_when_it_is_left(demo: Demo, browser: Browser) -> None:
    """The check can fail: a field without a name on the last page of a journey is found by nobody's asking."""
    fiona = Visitor(browser, demo.url)
    fiona.sign_in(demo.people["fiona"])
    fiona.go("/admin/")
    fiona.page.evaluate("document.querySelector('h1').after(document.createElement('input'))")
    assert any(" label: " in complaint for complaint in fiona.leave())
