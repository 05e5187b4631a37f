"""Labels of values: whose they are, and whether they may leave. One label for each leaf of a tool's result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

# ``user``: the end user's own words. ``trusted``: kept by people of the house. ``untrusted``: a stranger may have
# written it. ``nowhere``: nothing that the run has read holds it, so the planner made it up.
Source = Literal["user", "trusted", "untrusted", "nowhere"]
EVERY = "*"


@dataclass(frozen=True, slots=True)
class Label:
    """What is known about a value. Whatever nobody has labelled is a stranger's, and may leave."""

    source: Source = "untrusted"
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value of a result as text, with its label; ``origin`` says in which call of the run it was read."""

    text: str
    label: Label
    origin: str


Rules = tuple[tuple[tuple[str, ...], Label], ...]


def label_leaves(value: Any, rules: Rules, origin: str) -> Iterator[Leaf]:  # Any: JSON
    """Yield each text and number of a result under the label of the longest path that leads to it.

    ``rules`` hold paths as names, ``*`` for whatever stands there, with their labels; the empty path is the whole.
    Where two paths of one length lead to a leaf, the stricter word of both counts. The names of fields are values too:
    many results are keyed by what strangers name.
    """
    for path, text in leaves_of(value):
        yield Leaf(text, label_at(path, rules), origin)


def bound_labels(leaves: Iterable[Leaf], *, tainted: bool, sensitive: bool) -> Iterator[Leaf]:
    """Yield leaves under labels that are no milder than what they were made of: strangers' words, or secrets."""
    for leaf in leaves:
        source: Source = "untrusted" if tainted else leaf.label.source
        yield replace(leaf, label=Label(source, sensitive or leaf.label.sensitive))


def label_at(path: tuple[str, ...], rules: Rules) -> Label:
    """Return the label of a leaf of a result; ``*`` in the path stands for an item of a list."""
    found = [(len(rule), label) for rule, label in rules if _leads_to(rule, path)]
    longest = max((length for length, _ in found), default=-1)
    labels = [label for length, label in found if length == longest]
    if not labels:
        return Label()
    return Label(_strictest(label.source for label in labels), any(label.sensitive for label in labels))


def join_labels(labels: Iterable[Label]) -> Label:
    """Return the label of what was made of all of these: the least trusted source, sensitive where one of them is."""
    source: Source = "user"
    sensitive = False
    for label in labels:
        source, sensitive = _strictest(iter((source, label.source))), sensitive or label.sensitive
    return Label(source, sensitive)


def _strictest(sources: Iterator[Source]) -> Source:
    order: tuple[Source, ...] = ("untrusted", "trusted", "user")
    return min(sources, key=order.index)


def _leads_to(rule: tuple[str, ...], path: tuple[str, ...]) -> bool:
    return len(rule) <= len(path) and all(
        part in (EVERY, name) for part, name in zip(rule, path, strict=False)
    )


def leaves_of(value: Any) -> Iterator[tuple[tuple[str, ...], str]]:  # Any: JSON
    """Yield each text and number of a value, names of fields included, with the path that leads to it."""
    return _leaves(value, ())


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:  # Any: JSON
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, str(name)), str(name)
            yield from _leaves(item, (*path, str(name)))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, (*path, EVERY))
    elif value is not None and not isinstance(value, bool):
        yield path, str(value)
