"""Pictures as SVG without styles or scripts; beside each the page has its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

BAR_WIDTH, BAR_HEIGHT = 200, 8
LINE_WIDTH, LINE_HEIGHT = 96, 24
SPANS_WIDTH, SPANS_HEIGHT, MARK_WIDTH = 600, 16, 2
NEARLY_USED_UP = Decimal("0.8")

Number = int | float | Decimal


def draw_bar(used: Number, limit: Number | None, label: str) -> SafeString:
    """Draw how much of a limit is used; without a limit an empty track."""
    share = _share_of(used, limit)
    return _draw(share, "full" if share >= 1 else "high" if share >= NEARLY_USED_UP else "low", label)


def draw_share(part: Number, whole: Number | None, label: str) -> SafeString:
    """Draw a part of a whole, in one colour however large it is."""
    return _draw(_share_of(part, whole), "low", label)


def _share_of(part: Number, whole: Number | None) -> Decimal:
    return min(Decimal(1), Decimal(part) / Decimal(whole)) if whole else Decimal(0)


def _draw(share: Decimal, level: str, label: str) -> SafeString:
    return format_html(
        '<svg class="bar bar-{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="bar-track" width="{}" height="{}" rx="4"/>'
        '<rect class="bar-used" width="{}" height="{}" rx="4"/></svg>',
        level,
        BAR_WIDTH,
        BAR_HEIGHT,
        label,
        BAR_WIDTH,
        BAR_HEIGHT,
        f"{share * BAR_WIDTH:.1f}",
        BAR_HEIGHT,
    )


def draw_line(values: Sequence[Number], label: str) -> SafeString:
    """Draw a trend, oldest value first."""
    points = _points([float(value) for value in values])
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}"/>{}</svg>',
        LINE_WIDTH,
        LINE_HEIGHT,
        label,
        " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        format_html('<circle cx="{}" cy="{}" r="2"/>', *(f"{p:.1f}" for p in points[-1])) if points else "",
    )


def draw_spans(spans: Sequence[tuple[float, float, str]], label: str) -> SafeString:
    """Draw stretches of a time line as (begin, end, state), both as shares of its length from 0 to 1.

    However short, a stretch can be seen.
    """
    marks = (
        (
            f"{begin * SPANS_WIDTH:.1f}",
            f"{max(MARK_WIDTH, (end - begin) * SPANS_WIDTH):.1f}",
            SPANS_HEIGHT,
            state,
        )
        for begin, end, state in spans
    )
    return format_html(
        '<svg class="strip" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="bar-track" width="{}" height="{}" rx="2"/>{}</svg>',
        SPANS_WIDTH,
        SPANS_HEIGHT,
        label,
        SPANS_WIDTH,
        SPANS_HEIGHT,
        format_html_join("", '<rect x="{}" width="{}" height="{}" class="span-{}"/>', marks),
    )


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    if not values:
        return []
    low, high = min(values), max(values)
    rise = (high - low) or 1.0
    step = (LINE_WIDTH - 6) / max(1, len(values) - 1)
    return [
        (3 + i * step, LINE_HEIGHT - 3 - (value - low) / rise * (LINE_HEIGHT - 6))
        for i, value in enumerate(values)
    ]
