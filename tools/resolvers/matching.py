"""Which one of what a lookup has answered is meant. Plain and the same every time: whole words, no guesses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from tools.provenance.texts import plain
from tools.resolvers.dates import read_day, take_span
from tools.resolvers.declaration import Resolver
from tools.resolvers.places import value_at

How = Literal["value", "label", "words", "seen"]
MOST = 1_000  # things in one answer; of more, nobody could say that only one fits
LONGEST_SAID = 300
LONGEST_LABEL = 120
_STOPS = frozenset(
    (
        *(
            "a",
            "an",
            "and",
            "at",
            "by",
            "for",
            "from",
            "her",
            "his",
            "i",
            "in",
            "it",
            "its",
            "me",
            "my",
            "of",
        ),
        *(
            "on",
            "one",
            "our",
            "s",
            "that",
            "the",
            "their",
            "them",
            "this",
            "to",
            "was",
            "which",
            "with",
            "your",
        ),
    )
)
_ACCENTED = re.compile("[\u0041-\u03ff]")  # Latin and Greek: elsewhere a mark makes another letter


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that may be meant. ``value`` is the identifier, ``label`` what people call it."""

    value: str | int
    label: str = ""
    day: date | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What fits. ``how`` says by what; without any fit it says nothing."""

    fitting: tuple[Candidate, ...]
    how: How | Literal[""] = ""


def read_candidates(answer: Any, resolver: Resolver) -> list[Candidate] | None:  # Any: JSON
    """Return what a lookup has answered, each identifier once; None where the answer is not as declared."""
    items = value_at(answer, resolver.items) if resolver.items else answer
    items = [items] if isinstance(items, dict) and not resolver.items else items
    if not isinstance(items, list) or len(items) > MOST:
        return None
    found: dict[str, Candidate] = {}
    for item in items:
        value = value_at(item, resolver.value)
        if _is_identifier(value):
            day = read_day(value_at(item, resolver.date)) if resolver.date else None
            found.setdefault(str(value), Candidate(value, _label_of(item, resolver), day))
    return list(found.values())


def query_of(said: str, at: datetime, *, dated: bool = False) -> str:
    """Return the words that a tool searches for: without those of time, and those that name nothing.

    Where things have days and the words are of time only, there is nothing to search for.
    """
    rest, span = take_span(said, at)
    words = [word for word in rest.split() if _fold(word).strip(".,;:!?'\"") not in _STOPS]
    return " ".join(words) or ("" if dated and span else said.strip())


def match(said: str, candidates: Sequence[Candidate], at: datetime, *, dated: bool = False) -> Match:
    """Return which candidates fit what was said, at the time at which it was.

    An identifier fits itself, then a label that is the same. Else each word has to be one of the label's, and the
    day has to be one that the words of time mean; what has no day does not fit them.
    """
    if same := [each for each in candidates if str(each.value) == said.strip()]:
        return Match(tuple(same), "value")
    if alike := [each for each in candidates if each.label and _fold(each.label) == _fold(said)]:
        return Match(tuple(alike), "label")
    rest, span = take_span(said, at) if dated else (said, None)
    wanted = words_of(rest)
    if not wanted and span is None:
        return Match(())
    fitting = [
        each
        for each in candidates
        if wanted <= words_of(f"{each.value} {each.label}")
        and (span is None or (each.day is not None and span.holds(each.day)))
    ]
    return Match(tuple(fitting), "words" if fitting else "")


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text that name something, without case, accents and the s of a plural."""
    words = "".join(char if _is_of_word(char) else " " for char in _fold(text)).split()
    return frozenset(_singular(word) for word in words if word not in _STOPS)


def _is_of_word(char: str) -> bool:
    """Vowels that are written as marks belong to their words: without them other words look the same."""
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _fold(text: str) -> str:
    kept, base = "", ""
    for char in unicodedata.normalize("NFKD", plain(text)):
        is_mark = bool(unicodedata.combining(char))
        base = base if is_mark else char
        kept += "" if is_mark and _ACCENTED.match(base) else char
    return unicodedata.normalize("NFC", kept)


def _is_identifier(value: Any) -> bool:  # Any: JSON
    """Return whether people can read it as what it is: nothing hidden, nothing that turns the text around."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return bool(str(value).strip()) and str(value).isprintable()


def _label_of(item: Any, resolver: Resolver) -> str:  # Any: JSON
    parts = [value_at(item, path) for path in resolver.labels]
    told = [str(part) for part in parts if isinstance(part, str | int | float)]
    text = "".join(char if char.isprintable() else " " for char in " ".join(told))
    return " ".join(text.split())[:LONGEST_LABEL]
