"""Marks for people: whose each value is, in the shape of what it stands in. Pure.

They bind nothing. They are found by the comparisons that judge a call, so that a mark and a finding never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from tools.provenance.declaration import Declaration, Kind
from tools.provenance.judging import Arguments, Resolved, is_below, trace_value
from tools.provenance.labels import EVERY, Rules, Source, label_at, leaves_of
from tools.provenance.sources import Sources

# A source, or objects and lists of them; None where nothing is said.
Marks = Any  # JSON
Path = tuple[str, ...]
MOST_MARKED = 200  # values of one call or result, objects and lists among them; people look at the first
LONGEST_TRACED = 2_000  # characters; looking for a text takes time by the square of its length
WORST_FIRST: tuple[Source, ...] = ("nowhere", "untrusted", "trusted", "user")


def mark_arguments(
    declared: Declaration, arguments: Arguments, sources: Sources, resolved: tuple[Resolved, ...] = ()
) -> Marks:
    """Return where each value of a call comes from, also of those arguments that nobody has declared."""

    def find(path: Path, value: Any) -> Source | None:  # Any: a text or a number
        text = str(value)
        if len(text) > LONGEST_TRACED:
            return None
        return trace_value(path, _kind_of(declared, path, value), text, sources, resolved).source

    return _mark(arguments, find)


def mark_result(value: Any, rules: Rules, *, tainted: bool = False) -> Marks:  # Any: JSON
    """Return the label of each value of a result; ``tainted`` is what was made of strangers' words."""
    return _mark(value, lambda path, _: "untrusted" if tainted else label_at(path, rules).source)


def sources_of_result(value: Any, rules: Rules, *, tainted: bool = False) -> list[Source]:  # Any: JSON
    """Return whose a result is, the worst first; the names of its fields are values too."""
    return _order("untrusted" if tainted else label_at(path, rules).source for path, _ in leaves_of(value))


def _order(found: Iterable[Source]) -> list[Source]:
    known = set(found)
    return [source for source in WORST_FIRST if source in known]


def _kind_of(declared: Declaration, path: Path, value: Any) -> Kind:  # Any: a text or a number
    """What nobody has declared is looked for as a number if it is one, and else as it stands."""
    own = (kind for marked, kind in declared.arguments if is_below(path, marked))
    return next(own, "content" if isinstance(value, str) else "amount")


def _mark(value: Any, find: Callable[[Path, Any], Source | None]) -> Marks:  # Any: JSON
    left = iter(range(MOST_MARKED))

    def walk(value: Any, path: Path) -> Marks:
        if next(left, None) is None:
            return None
        if isinstance(value, dict):
            return {name: walk(item, (*path, str(name))) for name, item in islice(value.items(), MOST_MARKED)}
        if isinstance(value, list):
            return [walk(item, (*path, EVERY)) for item in value[:MOST_MARKED]]
        is_said = value is not None and not isinstance(value, bool) and str(value).strip()
        return find(path, value) if is_said else None

    return walk(value, ())
