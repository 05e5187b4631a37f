"""The row in which somebody decides: however wide the window is, a yes is not looked for on another line than a no."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import KETTLE, Demo
from tests.browser.test_story import open_request
from tests.browser.visitor import NARROW, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]

BUTTONS = ".decide-buttons > *"
# Somebody with a second factor has a field more to fill in, and the longest amount the widest button.
MORE = """() => {
  const row = document.querySelector(".decide-row");
  const code = document.createElement("p");
  code.innerHTML = '<label for="code">Code from your app</label><input type="text" id="code" size="6">';
  row.insertBefore(code, row.querySelector(".decide-buttons"));
  document.querySelector("[data-verdict=approve]").textContent = "Approve 1,234,567.89 USD";
}"""


def lines(visitor: Visitor, width: int) -> int:
    """Return on how many lines the buttons stand in a window of this width."""
    visitor.page.set_viewport_size({"width": width, "height": 800})
    boxes = [button.bounding_box() for button in visitor.page.locator(BUTTONS).all()]
    assert len(boxes) == 4
    return len({round(box["y"] + box["height"]) for box in boxes if box})


def test_the_buttons_stand_in_one_row(demo: Demo, visit: Open) -> None:
    _, subject = demo.ask_refund(KETTLE)
    fiona = visit("fiona")
    open_request(fiona, subject)
    assert [lines(fiona, width) for width in (1120, 1280, 1440)] == [1, 1, 1]
    fiona.page.set_viewport_size({"width": 1120, "height": 800})
    fiona.page.locator("#decision").scroll_into_view_if_needed()
    fiona.take_picture("decision-row")
    fiona.page.evaluate(MORE)
    assert [lines(fiona, width) for width in (1120, 1280, 1440)] == [1, 1, 1]
    assert fiona.overflow() <= 0
    lines(fiona, NARROW[0])
    assert fiona.overflow() <= 0


def test_mutant_whose_buttons_may_wrap(demo: Demo, visit: Open) -> None:
    _, subject = demo.ask_refund(KETTLE)
    fiona = visit("fiona")
    open_request(fiona, subject)
    fiona.page.evaluate(MORE)
    fiona.page.evaluate("document.querySelector('.decide-buttons').style.display = 'contents'")
    assert lines(fiona, 1120) > 1
