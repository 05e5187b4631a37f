"""A change set round trip: proposed, sent back with a comment, proposed again, accepted in part, carried out."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import LAMP, Demo
from tests.browser.visitor import NARROW, WIDE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUEUE = "/admin/runs/changeset/"
FORM = {
    "criteria": ["The parcel reaches the customer.", "No order is cancelled by mistake."],
    "constraints": ["Only the orders that the customer names."],
    "forbidden": ["refund_payment"],
}


def test_a_change_set_goes_round_and_part_of_it_is_carried_out(demo: Demo, visit: Open) -> None:
    before = len(demo.effects())
    demo.start_run(LAMP, "bruno.costa@example.com", mode="propose", form=FORM)
    fiona = visit("fiona")
    row = fiona.page.locator("#waiting a").first
    for _ in range(60):
        fiona.go(QUEUE)
        if row.count():
            break
        fiona.page.wait_for_timeout(500)
    fiona.take_both("changesets")
    fiona.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    worst = fiona.page.locator("#waiting .effect-irreversible").first.bounding_box()
    assert worst is not None
    assert worst["x"] + worst["width"] <= NARROW[0]  # what is worst about it is in sight, without scrolling
    fiona.page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    row.click()
    fiona.sees("The parcel reaches the customer.")
    fiona.sees("Item 2: cancel order")
    fiona.take_picture("changeset", height=1_600)
    fiona.page.fill("#comment-2", "Are you sure about the lamp?")
    fiona.page.get_by_role("button", name="Send it back").click()
    fiona.sees("Sent back: the agent reads your comments")
    link = fiona.page.get_by_role("link", name="Version 2")
    for _ in range(60):
        if link.count():
            break
        fiona.page.wait_for_timeout(500)
        fiona.page.reload()
    link.click()
    fiona.page.locator(".lead .badge", has_text="offered").or_(
        fiona.page.get_by_text("still at work")
    ).wait_for()
    for _ in range(60):
        if fiona.page.locator("[name=item-2]").count():
            break
        fiona.page.wait_for_timeout(500)
        fiona.page.reload()
    fiona.sees("Are you sure about the lamp?")
    assert len(demo.effects()) == before
    fiona.page.check("[name=item-2][value=deny]")
    fiona.page.get_by_role("button", name="Approve all that is left").press("Enter")
    fiona.sees("Filled in. Nothing is decided yet.")
    assert fiona.page.locator("[name=item-1][value=approve]").is_checked()
    assert fiona.page.locator("[name=item-2][value=deny]").is_checked()
    fiona.page.fill("#reason", "The lamp stays.")
    fiona.page.get_by_role("button", name="Decide").click()
    fiona.sees("You decided about 2 items.")
    fiona.page.get_by_role("button", name="Carry out 1 item").click()
    fiona.sees("What was approved is being carried out.")
    demo.await_effects(before + 1)
    for _ in range(60):
        if fiona.page.locator("#item-1 .badge", has_text="succeeded").count():
            break
        fiona.page.wait_for_timeout(500)
        fiona.page.reload()
    fiona.sees("not carried out")
    fiona.take_picture("changeset-outcomes", height=1_400)
    fiona.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert fiona.overflow() == 0
    assert len(demo.effects()) == before + 1
