"""Which of several things the user named: a list was read, their words name one of it, and the call takes another.

A thing of a list is named as far as words of the user's stand in its short values, or in those of a thing that it
refers to. Nothing is said where the words name none of them, or as much of one as of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.provenance.plans import names_in
from tools.provenance.texts import plain

_WORD = re.compile(r"[^\W_]+(?:[-.:@+'_][^\W_]+)*")
# Words that name nothing, wherever they stand.
_EMPTY = frozenset({
    "the", "and", "for", "with", "from", "that", "this", "then", "you", "are", "has", "have", "not", "but",
    "his", "her", "its", "our", "out", "was", "who", "what", "when", "where", "which", "any", "can", "could",
    "please", "would", "should", "will", "into", "onto", "until", "than", "them", "they", "there", "here",
    "also", "just", "about", "your", "mine", "get", "let", "tell", "make", "see", "now", "how", "does", "did",
    "to", "of", "in", "on", "at", "it", "is", "by", "me", "my", "we", "he", "as", "do", "or", "if", "be", "an",
    "so", "no",
})  # fmt: skip
_SHORT = 80  # characters: a longer text speaks of much, and names nothing
_REFERS = re.compile(r"(?=.*[^\W\d_])(?=.*\d)[\w-]+|\S+@\S+")
_LISTS, _REFERRED = 8, 4  # as many as are looked at, of those that hold a value


@dataclass(slots=True)
class Thing:
    """An item of a list: its short values, plain, the words in them, and its list."""

    values: frozenset[str]
    words: frozenset[str]
    others: list[Thing] = field(repr=False)


class Said:
    """What a user has said: all words that can name something, and those that are written as names are."""

    def __init__(self) -> None:
        self.words: frozenset[str] = frozenset()
        self.names: frozenset[str] = frozenset()

    def add(self, text: str) -> None:
        """Take up one more text of the user's."""
        self.words |= words_of_things([plain(text)])
        self.names |= words_of_things(map(plain, names_in(text)))


class Things:
    """The items of all lists that a run has read, by their short values."""

    def __init__(self) -> None:
        self._by_value: dict[str, list[Thing]] = {}

    def add(self, result: Any) -> None:  # Any: JSON
        """Take up the lists of a result; objects that hold nothing but objects are lists as well."""
        for items in _lists(result):
            things: list[Thing] = []
            for item in items:
                values = frozenset(_short_values(item))
                things.append(Thing(values, words_of_things(values), things))
            for thing in things:
                for value in thing.values:
                    self._by_value.setdefault(value, []).append(thing)

    def is_another_named(self, value: str, said: Said) -> bool:
        """Return whether the user's words name another thing of a list than the one that a plain value is of."""
        held = self._by_value.get(value, ())[-_LISTS:]
        told = [self._compare(thing, value, self._telling(thing, said)) for thing in held]
        return "another" in told and "this" not in told

    def _telling(self, thing: Thing, said: Said) -> frozenset[str]:
        """Return the names that the user said, where one of the list has one of them; otherwise all words."""
        return said.names if any(self._named(other, said.names) for other in thing.others) else said.words

    def _compare(self, thing: Thing, value: str, said: frozenset[str]) -> str:
        own = self._named(thing, said)
        if any(own < self._named(other, said) for other in thing.others if value not in other.values):
            return "another"
        return "this" if own else ""

    def _named(self, thing: Thing, said: frozenset[str]) -> frozenset[str]:
        referred = (other.words & said for value in thing.values for other in self._referred(value))
        return (thing.words & said).union(*referred)

    def _referred(self, value: str) -> list[Thing]:
        return self._by_value.get(value, [])[:_REFERRED] if _REFERS.fullmatch(value) else []


def words_of_things(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of plain texts that can name something."""
    found = (word for text in texts for word in _WORD.findall(text))
    return frozenset(word for word in found if word not in _EMPTY and len(word) > 1)


def _lists(value: Any) -> Iterator[list[Any]]:  # Any: JSON
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if len(inner) > 1 and all(isinstance(item, dict) for item in inner):
        yield [{"": name, **item} for name, item in value.items()] if isinstance(value, dict) else inner
    for item in inner:
        yield from _lists(item)


def _short_values(value: Any) -> Iterator[str]:  # Any: JSON
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _short_values(item)
    elif value is not None and not isinstance(value, bool) and len(text := plain(str(value))) <= _SHORT:
        yield text
