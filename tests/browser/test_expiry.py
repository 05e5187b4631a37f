"""Nobody answers in time: the call is not made, and the page that lay open says so by itself."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.scripts import goods_back
from tests.browser.test_story import INBOX, request_page, run_page
from tests.browser.visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# No other journey swaps goods, so that nobody else's time is short. However slow the machine is, it ends alike.
TOOL, SECONDS = "exchange_items", 20
MESSAGE = "Here is Keiko Mori. Please swap the hand grinder of order A-1041 for the electric one."
SWAP = {
    "order_id": "A-1041",
    "items": [{"sku": "GRINDER-HAND", "new_sku": "GRINDER-ELECTRIC", "quantity": 1}],
}


def test_what_nobody_answers_is_not_done(demo: Demo, visit: Open) -> None:
    give_little_time(visit("ada"))
    before = len(demo.effects())
    demo.play("a_swap", goods_back(TOOL, MESSAGE, SWAP))
    run = demo.start_run(MESSAGE, "keiko.mori@example.com")
    fiona = visit("fiona")
    fiona.go(request_page(demo.await_request(run)))
    fiona.sees("Nobody answered in time.")  # on the same page, by itself
    fiona.sees("and Refunds agent was told so")
    assert not fiona.page.locator("[data-verdict]").count()
    fiona.take_picture("expired")
    fiona.go(run_page(run))
    fiona.page.locator("h1 .badge", has_text="completed").wait_for()
    fiona.sees("Nobody has answered me in time.")
    fiona.go(f"{INBOX}?tab=decided")
    fiona.page.locator(".queue a", has_text="exchange items").locator(".badge", has_text="expired").wait_for()
    assert len(demo.effects()) == before


def give_little_time(ada: Visitor) -> None:
    """Shorten in the console what people have to answer; that takes no second person."""
    ada.go(f"/admin/tools/toolgrant/?q={TOOL}")
    ada.page.locator("#result_list tbody th a", has_text="Refunds agent").first.click()
    ada.page.get_by_role("link", name="Change the terms").click()
    ada.page.fill("[name=approval_ttl_s]", str(SECONDS))
    ada.page.click("button.primary")
    ada.page.locator(".messagelist .success").wait_for()
