"""Where a value comes from: the same marks where somebody decides, edits, reviews together, and reads the run."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import open_request, run_page
from tests.browser.test_together import TOGETHER
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# The user named the order; the amount stood in the order as the shop keeps it; the reason was the model's own.
MARKS = {"order_id": "the user’s words", "amount": "trusted source", "reason": "found nowhere"}


def marks_of(visitor: Visitor, table: str) -> dict[str, str]:
    """Return the mark that stands beside each argument of a table of them."""
    rows = visitor.page.locator(f"{table} table.fields").first.locator("> tbody > tr")
    return {
        row.locator("th").inner_text(): row.locator(".source").first.inner_text()
        for row in rows.all()
        if row.locator(".source").count()
    }


def test_a_value_has_the_same_mark_wherever_it_is_shown(demo: Demo, visit: Open) -> None:
    run, subject = demo.ask_refund("A-1060")
    fiona = visit("fiona")
    open_request(fiona, subject)
    assert marks_of(fiona, ".arguments") == MARKS
    fiona.page.locator("#sources").scroll_into_view_if_needed()
    fiona.take_both("marks-request", height=1_300)
    fiona.page.click("[data-key=e]")
    edited = fiona.page.locator("form.try .field", has=fiona.page.locator(".origins"))
    assert sorted(edited.locator(".source").all_inner_texts()) == sorted(MARKS.values())
    fiona.take_both("marks-edit", height=900)

    fiona.go(run_page(run))
    for fold in ("call-", "args-"):
        part = f"details[id^='{fold}']:has(th:text-is('reason'))"
        fiona.page.locator(f"{part} > summary").last.click()
        assert marks_of(fiona, part) == MARKS
    fiona.take_both("marks-run", height=1_500)

    fiona.go(TOGETHER)
    group = fiona.page.locator(".group", has_text="refund payment").first
    group.get_by_role("button", name="Review to deny").click()
    fiona.sees("Deny together")
    row = fiona.page.locator(".picks tr", has_text=subject)
    # Marked is what varies between the requests of a group.
    assert set(row.locator(".source").all_inner_texts()) <= set(MARKS.values())
    fiona.take_both("marks-batch", height=1_000)
