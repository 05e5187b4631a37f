"""Many requests decided together, and the list by keyboard: ticked, refreshed, checked, confirmed with a code."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_second_factor import AGE_SESSIONS, FORGIVE
from tests.browser.test_story import INBOX, open_request
from tests.browser.visitor import NARROW, Visitor, pictures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOGETHER = f"{INBOX}together/"


def row_of(visitor: Visitor, subject: str) -> str:
    """Return the id of somebody's request in the list, once it is there."""
    link = visitor.page.locator(".queue a", has_text=subject).first
    link.wait_for()
    return str(link.get_attribute("data-request"))


def await_refresh(visitor: Visitor) -> None:
    """Wait until the list has come anew by itself."""
    visitor.page.evaluate("document.getElementById('queue').dataset.old = '1'")
    visitor.page.locator("#queue:not([data-old])").wait_for()


def test_a_batch_names_whom_it_excludes_and_is_confirmed_with_one_code(demo: Demo, visit: Open) -> None:
    carla, farid, elena = (demo.ask_refund(order)[1] for order in ("A-1031", "A-1049", "A-1045"))
    before = len(demo.effects())
    fiona = demo.people["fiona"]
    window = visit(url=demo.strict_url)
    demo.manage("shell", "-c", FORGIVE)  # a code counts once, and another test may have used this period's
    window.sign_in(fiona, code=fiona.code())
    window.sees("waiting for a decision")
    window.go(INBOX)
    unseen = row_of(window, elena)
    for subject in (carla, farid):
        open_request(window, subject)
        window.page.keyboard.press("x")
        window.page.locator(f"#x-{row_of(window, subject)}:checked").wait_for()
    window.page.check(f"#x-{unseen}")
    await_refresh(window)
    assert window.page.locator(".queue input.choose:checked").count() == 3
    window.sees("3 requests ticked")
    window.take_picture("together-ticked")
    window.page.get_by_role("button", name="Review to approve").click()
    window.sees("can be approved together")
    assert "2 requests" in window.page.locator(".lead").inner_text()
    excluded = window.page.locator(f'[data-excluded="{unseen}"]')
    assert "it has to be opened by itself before it is approved with others" in excluded.inner_text()

    demo.manage("shell", "-c", AGE_SESSIONS)
    window.page.reload()
    demo.manage("shell", "-c", FORGIVE)
    window.page.fill("#code", fiona.code(ahead=1))
    window.take_picture("together")
    window.page.get_by_role("button", name="Approve 2 requests").click()
    window.sees("not decided, for the reasons below")
    assert len(window.page.locator("#excluded li").all()) == 1
    window.page.locator(".badge", has_text="approved").first.wait_for()
    demo.await_effects(before + 2)
    window.go(INBOX)
    window.page.check(f"#x-{unseen}")
    window.page.get_by_role("button", name="Review to deny").click()
    window.page.fill("#reason", "No photo.")
    window.page.get_by_role("button", name="Deny 1 request").click()
    window.sees("Done")
    window.page.locator(".badge", has_text="denied").wait_for()


def test_the_pages_of_a_batch_fit_a_phone(demo: Demo, visit: Open) -> None:
    _, ann = demo.ask_refund("A-1034")
    fiona = visit("fiona", size=NARROW)
    fiona.go(f"{INBOX}?tab=waiting")
    row_of(fiona, ann)
    assert fiona.overflow() <= 0
    fiona.page.screenshot(path=pictures() / "inbox-phone.png")
    fiona.go(TOGETHER)
    assert fiona.overflow() <= 0
    fiona.page.screenshot(path=pictures() / "groups-phone.png")
    fiona.page.get_by_role("button", name="Review to deny").first.click()
    fiona.sees("Deny together")
    assert fiona.overflow() <= 0
    for cell in fiona.page.locator(".picks td:visible").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= NARROW[0], cell.inner_text()
    assert fiona.page.locator(".picks td.amount").first.is_visible()
    fiona.page.screenshot(path=pictures() / "batch-phone.png", full_page=True)


def test_keys_can_be_turned_off_and_never_count_while_typing(demo: Demo, visit: Open) -> None:
    _, bruno = demo.ask_refund("A-1043")
    fiona = visit("fiona")
    open_request(fiona, bruno)
    box = f"#x-{row_of(fiona, bruno)}"
    fiona.page.fill("#reason", "")
    fiona.page.focus("#reason")
    fiona.page.keyboard.type("xxrjk?")
    assert not fiona.page.is_checked(box)
    assert fiona.page.input_value("#reason") == "xxrjk?"
    fiona.page.evaluate("document.activeElement.blur()")
    fiona.page.keyboard.press("e")  # leads to where the call is edited, and decides nothing
    fiona.page.wait_for_url(re.compile("/edit/$"))
    open_request(fiona, bruno)
    fiona.page.keyboard.press("x")
    assert fiona.page.is_checked(box)
    fiona.page.keyboard.press("?")
    fiona.page.locator("dialog[open]").wait_for()
    fiona.page.uncheck("#keys-on")
    fiona.page.keyboard.press("Escape")
    fiona.page.keyboard.press("x")
    assert fiona.page.is_checked(box)
    fiona.page.reload()
    fiona.page.keyboard.press("?")
    assert not fiona.page.locator("dialog[open]").count()
    fiona.page.click(".keys-open")
    fiona.page.check("#keys-on")
    fiona.page.keyboard.press("Escape")
    assert fiona.page.locator("#request .badge", has_text="waiting").count()  # a key alone decides nothing


def test_a_view_of_ones_own_is_kept(demo: Demo, visit: Open) -> None:
    fiona = visit("fiona")
    fiona.go(f"{INBOX}?tab=waiting")
    fiona.page.click("#filters summary")
    fiona.page.fill("[name=least]", "1000000")
    fiona.page.get_by_role("button", name="Show").click()
    fiona.sees("Nothing waits for a decision that fits")
    fiona.page.click("#keeping summary")
    fiona.page.fill("#keeping [name=name]", "Very large")
    fiona.page.get_by_role("button", name="Keep", exact=True).click()
    fiona.page.locator(".views a", has_text="Very large").wait_for()
    fiona.go(f"{INBOX}?tab=waiting")
    fiona.page.click(".views a")
    fiona.page.wait_for_url(re.compile("least=1000000"))
    fiona.page.click("#keeping summary")
    fiona.page.get_by_role("button", name="Forget it").click()
    fiona.page.locator(".views").wait_for(state="detached")
