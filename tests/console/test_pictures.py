from __future__ import annotations

import re
from decimal import Decimal

import pytest

from agentops.console.pictures import BAR_WIDTH, draw_bar, draw_line


def used_width(svg: str) -> float:
    found = re.search(r'bar-used" width="([\d.]+)"', svg)
    assert found
    return float(found.group(1))


@pytest.mark.parametrize(
    ("used", "limit", "width", "level"),
    [(0, 10, 0, "low"), (5, 10, BAR_WIDTH / 2, "low"), (8, 10, BAR_WIDTH * 0.8, "high"), (10, 10, BAR_WIDTH, "full"),
     (25, 10, BAR_WIDTH, "full"), (Decimal("1.5"), Decimal("2"), BAR_WIDTH * 0.75, "low"), (5, None, 0, "low"),
     (5, 0, 0, "low")],
)  # fmt: skip
def test_a_bar_shows_the_share_that_is_used(used: int, limit: int | None, width: float, level: str) -> None:
    svg = draw_bar(used, limit, "used")
    assert used_width(svg) == pytest.approx(width)
    assert f'class="bar bar-{level}"' in svg


def test_a_line_rises_with_its_values() -> None:
    found = re.search(r'points="([^"]+)"', draw_line([Decimal(1), Decimal(2), Decimal(3)], "cost"))
    assert found
    points = [tuple(map(float, point.split(","))) for point in found.group(1).split()]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted((y for _, y in points), reverse=True)  # up is a smaller y


@pytest.mark.parametrize("values", [[], [1], [2, 2, 2]])
def test_a_line_can_be_drawn_of_anything(values: list[int]) -> None:
    assert draw_line(values, "cost").startswith("<svg")


def test_what_a_picture_says_is_escaped_and_without_styles() -> None:
    svg = draw_bar(1, 2, '"><script>') + draw_line([1, 2], '"><script>')
    assert "<script>" not in svg
    assert "style=" not in svg
