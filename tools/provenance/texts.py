"""How a value is found in a text: as whole words, however it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from tools.amounts import number_of

# What belongs to the word on its left or right: bob@x.org is not in notbob@x.org, nor x.org in x.org.evil.net.
_BEFORE = r"(?<![\w@+%/\\-])(?<!\w[.])"
_AFTER = r"(?![\w@+%\\-])(?![./:]\w)"
_SCHEME = re.compile(r"^https?://")
_WORD = re.compile(r"\w+")
_GAP = re.compile(r"[\s-]")
_MANY = 1024  # groups that are looked up of one place
_LONG_CODE = 8  # letters and digits: account numbers are written in groups
_GROUPING = re.compile(r"[,'\u00a0 ](?=\d{3}(?:\D|$))")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:[,'\u00a0 ]\d{3})+(?:[.,]\d+)?(?!\w)|\d+(?:[.,]\d+)?")


def plain(text: str) -> str:
    """Return a text as it is compared: compatibility forms folded, without case, and with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_in(value: str, text: str) -> bool:
    """Return whether a plain value stands in a plain text, as whole words."""
    wanted = read_wanted(value)
    return bool(value) and wanted.literal in text and _pattern(value).search(text) is not None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to stand in a text that holds a value: a literal, or a code whose characters may be in groups.

    A literal's whole words are whole words of such a text too; a code's groups are.
    """

    literal: str
    code: str = ""

    @property
    def words(self) -> frozenset[str]:
        """Return the words that each text with the literal holds."""
        return words_in(self.literal)

    def groups(self) -> Iterator[tuple[str, ...]]:
        """Yield sets of words, of each of which a text with the code has at least one: the group that covers a place.

        Asked about are the places of the code that tell most: its ends, and its first digit unless that lies deep.
        """
        last, digit = len(self.code) - 1, next(i for i, char in enumerate(self.code) if char.isdigit())
        deep = (digit + 1) * (last - digit + 1) > _MANY
        for place in {0, last} if deep else {0, digit, last}:
            ends = range(place + 1, last + 2)
            yield tuple(self.code[start:end] for start in range(place + 1) for end in ends)


def words_in(text: str) -> frozenset[str]:
    """Return the words of a plain text: runs of letters, digits and underscores."""
    return frozenset(_WORD.findall(text))


def read_wanted(value: str) -> Wanted:
    """Return what has to stand in a text that holds a plain value."""
    bare = _SCHEME.sub("", value)
    letters = _GAP.sub("", bare)
    if len(letters) >= _LONG_CODE and letters.isalnum() and any(char.isdigit() for char in letters):
        return Wanted("", letters)
    return Wanted(bare.rstrip("/") or bare)


@lru_cache(maxsize=4096)
def _pattern(value: str) -> re.Pattern[str]:
    wanted, scheme = read_wanted(value), "(?:https?://)?" if _SCHEME.match(value) else ""
    body = r"[\s-]?".join(map(re.escape, wanted.code)) if wanted.code else re.escape(wanted.literal)
    return re.compile(f"{_BEFORE}{scheme}{body}{'/?' if scheme else ''}{_AFTER}")


def amounts_in(text: str) -> Iterator[Decimal]:
    """Yield the numbers of a text: 1,200.50 and 1200,5 are both understood, 1,200 as a thousand and two hundred."""
    for found in _NUMBER.finditer(text):
        digits = _GROUPING.sub("", found.group()).replace(",", ".")
        if (number := number_of(digits)) is not None:
            yield number
