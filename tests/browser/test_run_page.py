"""The page of a run: what was decided, executed and broke, what the model was shown, its proof, and another run."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import run_page
from tests.browser.visitor import NARROW, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def runs(demo: Demo) -> tuple[str, str]:
    """Have two runs that do the same."""
    first, second = (
        demo.start_run("Where is my order A-1047?", "carla.jensen@example.com") for _ in range(2)
    )
    return first, second


def open_run(visitor: Visitor, run: str) -> None:
    visitor.go(run_page(run))
    visitor.page.locator("h1 .badge", has_text="completed").wait_for()


def test_a_run_is_read_lane_by_lane(visit: Open, runs: tuple[str, str]) -> None:
    ada = visit("ada")
    open_run(ada, runs[1])
    assert ada.page.locator(".lanes-head span").all_inner_texts() == ["Decided", "Executed", "Broke"]
    executed = ada.page.locator(".lane-executed").first
    for part in ("Given", "Answered", "Why"):
        executed.locator("summary", has_text=part).click()
    ada.sees("the agent identity is active")
    ada.page.get_by_role("link", name="what the model was shown").first.click()
    ada.sees("in this order")
    assert ada.page.locator(".said-user", has_text="Where is my order A-1047?").count()
    ada.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert ada.overflow() <= 0


def test_on_a_phone_what_happened_stands_in_its_order(visit: Open, runs: tuple[str, str]) -> None:
    ada = visit("ada")
    ada.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    open_run(ada, runs[1])
    tops = {
        seq: box["y"]
        for seq in map(int, ada.page.locator(".told-entry").all_inner_texts())
        if (box := ada.page.locator(f"#entry-{seq}").bounding_box())
    }
    assert len(tops) > 4
    assert sorted(tops, key=tops.__getitem__) == sorted(tops)
    ada.take_both("run-read", height=1120)


def test_ids_are_copied_and_entries_lead_to_their_proof(visit: Open, runs: tuple[str, str]) -> None:
    ada = visit("ada")
    ada.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_run(ada, runs[1])
    ada.page.locator("#codes summary").click()
    ada.page.locator("[data-copy=run-id]").click()
    ada.page.locator("[data-copy=run-id]", has_text="Copied").wait_for()
    assert ada.page.evaluate("navigator.clipboard.readText()") == runs[1]
    ada.page.locator(".told-entry").first.click()
    ada.page.locator("h1 .badge", has_text="unaltered").wait_for()
    ada.sees("Hash before")
    ada.page.locator(".breadcrumbs a", has_text="run").click()
    ada.page.get_by_role("button", name="Verify this stream").click()
    ada.page.locator(".messagelist .success", has_text="none altered").wait_for()
    ada.take_picture("verified")


def test_two_runs_stand_side_by_side(visit: Open, runs: tuple[str, str]) -> None:
    ada = visit("ada")
    open_run(ada, runs[0])
    open_run(ada, runs[1])
    ada.page.get_by_role("link", name="Compare with the run before").click()
    ada.sees("They made the same calls, with the same outcomes")
    assert ada.page.locator("table.rows thead a").count() == 2
    ada.take_picture("compare")
    ada.page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    assert ada.overflow() <= 0
