"""How a value is found in a text: as whole words, however it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache

from tools.amounts import number_of

# What belongs to the word on its left or right: bob@x.org is not in notbob@x.org, nor x.org in x.org.evil.net.
_BEFORE = r"(?<![\w@+%/\\-])(?<!\w[.])"
_AFTER = r"(?![\w@+%\\-])(?![./:]\w)"
_SCHEME = re.compile(r"^https?://")
_LONG_CODE = 8  # letters and digits: account numbers are written in groups
_GROUPING = re.compile(r"[,'\u00a0 ](?=\d{3}(?:\D|$))")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?:[,'\u00a0 ]\d{3})+(?:[.,]\d+)?(?!\w)|\d+(?:[.,]\d+)?")


def plain(text: str) -> str:
    """Return a text as it is compared: compatibility forms folded, without case, and with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def is_in(value: str, text: str) -> bool:
    """Return whether a plain value stands in a plain text, as whole words."""
    return bool(value) and _pattern(value).search(text) is not None


@lru_cache(maxsize=4096)
def _pattern(value: str) -> re.Pattern[str]:
    bare = _SCHEME.sub("", value)
    letters = re.sub(r"[\s-]", "", bare)
    if len(letters) >= _LONG_CODE and letters.isalnum() and any(char.isdigit() for char in letters):
        body = r"[\s-]?".join(re.escape(char) for char in letters)
    else:
        body = re.escape(bare.rstrip("/") or bare)
    scheme = "(?:https?://)?" if bare != value else ""
    return re.compile(f"{_BEFORE}{scheme}{body}{'/?' if scheme else ''}{_AFTER}")


def amounts_in(text: str) -> Iterator[Decimal]:
    """Yield the numbers of a text: 1,200.50 and 1200,5 are both understood, 1,200 as a thousand and two hundred."""
    for found in _NUMBER.finditer(text):
        digits = _GROUPING.sub("", found.group()).replace(",", ".")
        if (number := number_of(digits)) is not None:
            yield number
