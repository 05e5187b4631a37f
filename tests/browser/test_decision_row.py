"""The row in which somebody decides: however wide the window is, a yes is not looked for on another line than a no."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.browser.conftest import Open
from tests.browser.platform import Demo
from tests.browser.test_story import open_request
from tests.browser.visitor import NARROW, Visitor, pictures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = 1120, 1280, 1440
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
    """Return on how many lines the buttons stand in a window of this width: those of one line overlap in height."""
    visitor.page.set_viewport_size({"width": width, "height": 800})
    boxes = [box for button in visitor.page.locator(BUTTONS).all() if (box := button.bounding_box())]
    panel = visitor.page.locator("#decision").bounding_box()
    assert panel is not None
    assert len(boxes) == 4
    assert all(
        panel["x"] <= box["x"] and box["x"] + box["width"] <= panel["x"] + panel["width"] for box in boxes
    )
    tops = sorted(box["y"] for box in boxes)
    least = min(box["height"] for box in boxes)
    return 1 + sum(later - earlier > least / 2 for earlier, later in pairwise(tops))


def test_the_buttons_stand_in_one_row(demo: Demo, visit: Open) -> None:
    _, subject = demo.ask_refund("A-1041", line=1)
    fiona = visit("fiona")
    open_request(fiona, subject)
    assert [lines(fiona, width) for width in WIDTHS] == [1, 1, 1]
    fiona.page.set_viewport_size({"width": 1120, "height": 800})
    fiona.page.locator("#decision").scroll_into_view_if_needed()
    fiona.page.screenshot(path=pictures() / "decision-row.png")
    fiona.page.evaluate(MORE)
    assert [lines(fiona, width) for width in WIDTHS] == [1, 1, 1]
    fiona.page.set_viewport_size({"width": 1120, "height": 800})
    fiona.page.screenshot(path=pictures() / "decision-row-with-code.png")
    lines(fiona, NARROW[0])
    assert fiona.overflow() <= 0
    # The mutant: buttons that are not kept together.
    fiona.page.evaluate("document.querySelector('.decide-buttons').style.display = 'contents'")
    assert lines(fiona, 1120) > 1
