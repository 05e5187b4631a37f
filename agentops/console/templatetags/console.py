"""What the console's templates need to say numbers, times, states and JSON in plain words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from agentops.console import pictures, sources, words
from agentops.console.sources import mark_at
from agentops.text import spell_out_all

register = template.Library()

MOST_ROWS = 40  # of a list or an object that a tool answered; the rest is counted, the ledger has it all
MOST_LEVELS = 4
MOST_COLUMNS = 6
MOST_INLINE = 60
MOST_TEXT = 4_000  # characters of one text, where not all of it has to be seen
MOST_FACTS = 5
QUOTED = re.compile("(“[^”]*”)")
IDENTIFIER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}")


@register.filter
def ago(at: datetime | None) -> SafeString:
    """Say when, relative to now; the exact time is on hover, in the viewer's zone."""
    return _time(at, words.ago(at, timezone.now()), "data-ago") if at else SafeString("")


@register.filter
def countdown(until: datetime | None) -> SafeString:
    """Say what is left until a deadline; a small script lets it run."""
    return _time(until, words.clock(until - timezone.now()), "data-until") if until else SafeString("")


@register.filter
def due(at: datetime) -> SafeString:
    """Say when something may happen; what might have happened already is due."""
    return ago(at) if at > timezone.now() else SafeString("due")


@register.filter
def exactly(at: datetime | None) -> SafeString:
    """Say when as a clock time; the script puts it into the viewer's zone."""
    return _time(at, f"{at:%H:%M} UTC", "data-clock") if at else SafeString("")


def _time(at: datetime, text: str, attribute: str) -> SafeString:
    exact = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<time datetime="{}" title="{}" {}>{}</time>', at.isoformat(), exact, attribute, text)


@register.filter
def this_window(window: str) -> str:
    """Name a budget's present hour, day or month."""
    return words.this_window(window)


@register.filter
def to_the_second(at: datetime) -> SafeString:
    """Say when as a clock time with its seconds."""
    return _time(at, f"{at:%H:%M:%S} UTC", "data-seconds")


@register.filter
def badge(word: str) -> SafeString:
    """Show a state: its word, and the tone that its colour stands for."""
    return format_html('<span class="badge tone-{}">{}</span>', words.tone_of(word), words.plain_word(word))


@register.filter
def tone(word: str) -> str:
    """Return the tone of a state."""
    return words.tone_of(word)


@register.filter
def quotes_apart(text: str) -> SafeString:
    """Show a sentence with what it quotes set apart, so that no script in it turns our own words round."""
    pieces = QUOTED.split(text)
    shown = [format_html("<bdi>{}</bdi>" if at % 2 else "{}", piece) for at, piece in enumerate(pieces)]
    return format_html_join("", "{}", ((piece,) for piece in shown))


@register.filter
def plain(code: str) -> str:
    """Return a code as words."""
    return words.plain_word(code)


@register.filter
def money(amount: Decimal | None, currency: str = "USD") -> str:
    """Return an amount with its currency."""
    return "" if amount is None else words.money(amount, currency)


@register.filter
def latency(milliseconds: int | None) -> str:
    """Return how long something took."""
    return "" if milliseconds is None else words.latency(milliseconds)


@register.filter
def span(seconds: float | None) -> str:
    """Return a span of time."""
    return "" if seconds is None else words.span(seconds)


@register.filter
def thousands(number: int | None) -> str:
    """Return a number with its thousands marked."""
    return "" if number is None else f"{number:,}"


@register.filter
def compact(number: Decimal | int) -> str:
    """Return a large number to three digits."""
    return words.compact(number)


@register.filter
def counted(number: int, noun: str) -> str:
    """Return a number with its noun; the plural after a comma where it is irregular."""
    one, _, many = noun.partition(",")
    return words.count(number, one, many)


@register.filter
def short(identifier: UUID | str) -> str:
    """Return the end of an id: time-ordered ids of one minute begin alike."""
    return str(identifier)[-8:]


@register.filter
def brief(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the telling facts of an entry, shortened: what is empty is left out."""
    told = [(name, _brief(value)) for name, value in facts.items() if value not in (None, "", [], {})]
    return told[:MOST_FACTS]


def _brief(value: Any) -> str:  # Any: a JSON value
    if isinstance(value, list):
        return ", ".join(_brief(item) for item in value[:3]) + ("…" if len(value) > 3 else "")
    if isinstance(value, dict):
        return " ".join(_brief(item) for item in value.values())
    text = str(value)
    if IDENTIFIER.fullmatch(text):
        return f"…{text[-8:]}"
    return text if len(text) <= MOST_INLINE else f"{text[:24]}…"


@register.simple_tag
def bar(used: Any, limit: Any, label: str) -> SafeString:  # Any: int, float or Decimal, or None for no limit
    """Draw how much of a limit is used."""
    return pictures.draw_bar(used, limit, label)


@register.simple_tag
def share(part: Any, whole: Any, label: str) -> SafeString:  # Any: as above
    """Draw a part of a whole: all of it is no fault."""
    return pictures.draw_share(part, whole, label)


@register.simple_tag
def strip(spans: Sequence[tuple[float, float, str]], label: str) -> SafeString:
    """Draw stretches of a time line."""
    return pictures.draw_spans(spans, label)


@register.simple_tag
def line(values: Sequence[Any], label: str) -> SafeString:  # Any: as above
    """Draw a trend."""
    return pictures.draw_line(values, label)


@register.filter
def as_text(value: Any) -> str:  # Any: a JSON value
    """Return a JSON value as indented text."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.inclusion_tag("console/value.html")
def show_value(
    value: Any,  # a JSON value
    level: int = 0,
    whole: bool = False,
    marks: Any = None,  # sources in the shape of the value
) -> dict[str, Any]:
    """Show a JSON value as tables of its fields, to a bounded depth; ``whole`` leaves nothing of it out.

    ``marks`` say whose each text and number is; what has none bears none.
    """
    if whole and not level:
        value, marks = spell_out_all(value), spell_out_all(marks)
    if not isinstance(value, dict | list) or level >= MOST_LEVELS:
        leaf = _show_leaf(value)
        if not whole and "text" in leaf:
            leaf["text"] = cut(leaf["text"])
        return {**leaf, "sources": sources_in(marks)}
    rows: list[Any] = list(value.items()) if isinstance(value, dict) else value
    shown = rows if whole else rows[:MOST_ROWS]
    rest = {"more": len(rows) - len(shown), "level": level + 1, "whole": whole}
    if isinstance(value, dict):
        is_inline = level and _is_short(value) and not sources_in(marks)
        fields = [(name, item, mark_at(marks, name)) for name, item in shown]
        return {"kind": "inline" if is_inline else "fields", "rows": fields, **rest}
    marked = [(item, mark_at(marks, place)) for place, item in enumerate(shown)]
    if columns := _columns(shown):
        cells = [[(row.get(name, ""), mark_at(mark, name)) for name in columns] for row, mark in marked]
        return {"kind": "grid", "columns": columns, "rows": cells, **rest}
    return {"kind": "items", "rows": marked, **rest}


@register.filter
def cut(value: Any) -> Any:  # Any: a JSON value
    """Return a text that a page can hold, with how much more there is; anything else as it is."""
    if not isinstance(value, str) or len(value) <= MOST_TEXT:
        return value
    return f"{value[:MOST_TEXT]}… and {len(value) - MOST_TEXT:,} more characters; the ledger has them all"


def _show_leaf(value: Any) -> dict[str, Any]:  # Any: a JSON value
    if value is None or value == "":
        return {"kind": "empty"}
    if isinstance(value, str):
        return {"kind": "prose" if len(value) > MOST_INLINE or "\n" in value else "plain", "text": value}
    if not isinstance(value, dict | list):
        return {"kind": "plain", "text": json.dumps(value, default=str)}
    return {"kind": "text", "text": as_text(value)}


@register.filter
def sources_in(marks: Any) -> list[str]:  # Any: sources in the shape of a JSON value
    """Return the known sources among some marks, each once, the worst first."""
    return sources.find_in(marks)


@register.inclusion_tag("console/sources.html")
def show_sources(found: Iterable[str]) -> dict[str, Any]:
    """Show whose something is: a word and a colour for each source."""
    return {"sources": [(source, sources.WORDS[source]) for source in found if source in sources.WORDS]}


def _columns(rows: list[Any]) -> list[str]:
    """Return the fields that all rows of a list have, if they are alike enough to be columns of a table."""
    if not rows or not all(isinstance(row, dict) for row in rows):
        return []
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns if len(columns) <= MOST_COLUMNS else []


def _is_short(value: dict[str, Any]) -> bool:
    plain = all(item is None or isinstance(item, str | int | float | bool) for item in value.values())
    return plain and sum(len(str(name)) + len(str(item)) for name, item in value.items()) <= MOST_INLINE
