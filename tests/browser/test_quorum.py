"""A rule asks for two people: one yes does nothing, the other lets the call go out."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.scripts import goods_back
from tests.browser.test_story import request_page
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# No other journey takes goods back, so that nobody else waits for a second person.
TOOL = "return_items"
MESSAGE = "Here is Bruno Costa. I would like to send one of the mugs of order A-1043 back."
ONE_MUG = {"order_id": "A-1043", "items": [{"sku": "MUG-SAND", "quantity": 1}], "reason": "changed_mind"}


def test_two_people_say_yes_before_anything_happens(demo: Demo, visit: Open) -> None:
    ada = visit("ada")
    ask_for_two(ada)
    let_approve(ada, "grace")
    before = len(demo.effects())
    demo.play("a_return", goods_back(TOOL, MESSAGE, ONE_MUG))
    asked = request_page(demo.await_request(demo.start_run(MESSAGE, "bruno.costa@example.com")))

    fiona = visit("fiona")
    fiona.go(asked)
    fiona.sees("0 of 2 said yes")
    fiona.page.click("[data-verdict=approve]")
    fiona.sees("1 of 2 said yes")
    fiona.sees("you have decided about this: it takes somebody else's yes")
    fiona.take_picture("quorum")
    assert not fiona.page.locator("[data-verdict]").count()
    assert len(demo.effects()) == before

    grace = visit("grace")
    grace.go(asked)
    grace.sees("fiona approved this")
    grace.page.click("[data-verdict=approve]")
    grace.sees("You approved this")
    grace.page.locator("#request-after", has_text="The call: succeeded").first.wait_for()
    assert len(demo.effects()) == before + 1
    fiona.page.locator("#request-after", has_text="The call: succeeded").first.wait_for()  # by itself


def ask_for_two(ada: Visitor) -> None:
    """Set the rule in the console."""
    ada.go("/admin/approvals/approvalrule/add/")
    ada.page.select_option("[name=team]", label="Support")
    ada.page.fill("[name=place]", "1")
    ada.page.fill("[name=name]", "Returns take two")
    ada.page.select_option("[name=tool]", label=TOOL)
    ada.page.fill("[name=needed_1]", "2")
    ada.take_picture("rule-form", height=1_200)
    ada.page.click("button.primary")
    ada.sees("2 of all who may approve")


def let_approve(ada: Visitor, name: str) -> None:
    """Put somebody into the group that may approve."""
    ada.go(f"/admin/identities/user/?q={name}")
    ada.page.locator("#result_list tbody th a").first.click()
    ada.page.locator("a", has_text="Change rights").first.click()
    ada.page.get_by_label("finance").check()
    ada.page.click("button.primary")
    ada.page.locator(".messagelist .success").wait_for()
