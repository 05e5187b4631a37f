"""A decision table in the browser: written row by row, looked over while somebody types, and kept."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.visitor import NARROW, pictures

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_rules_are_looked_over_as_they_are_typed(visit: Open) -> None:
    ada = visit("ada")
    page = ada.page
    ada.go("/admin/tools/decisiontable/add/")
    page.select_option("#id_team", label="Support")
    page.fill("#id_slug", "refund-limits")
    page.fill("#id_name", "Who may pay how much back")
    page.click("button.primary")
    ada.sees("Every case has exactly one answer.")

    page.fill("[name='r0.t0']", "<= 50")
    page.fill("[name='r0.o0']", '"pay"')
    ada.sees("No rule covers amount: > 50")  # nobody pressed a button
    page.get_by_role("button", name="Add a rule").click()
    page.fill("[name='r1.t0']", "> 40")
    page.fill("[name='r1.o0']", '"ask"')
    ada.sees("Rules 1 and 2 both claim amount: (40..50]")
    page.screenshot(path=pictures() / "decision-table-overlap.png", full_page=True)
    page.fill("[name='r1.t0']", "> 50")
    ada.sees("Every case has exactly one answer.")
    page.get_by_role("button", name="Move rule 2 up").click()
    assert page.input_value("[name='r0.t0']") == "> 50"
    page.get_by_role("button", name="Add a test case").click()
    page.fill("[name='c0.inputs']", '{"amount": 20}')
    page.fill("[name='c0.expect']", '{"answer": "ask"}')
    ada.sees("came out otherwise")
    page.fill("[name='c0.expect']", '{"answer": "pay"}')
    ada.sees("as expected")
    page.screenshot(path=pictures() / "decision-table-editor.png", full_page=True)
    page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert ada.overflow() <= 0
    page.get_by_role("button", name="Keep the draft").click()
    ada.sees("The draft was kept.")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.screenshot(path=pictures() / "decision-table.png", full_page=True)
