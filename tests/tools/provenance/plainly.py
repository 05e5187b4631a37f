"""Looking through all that was read, one text after the other: slow, and plainly right. What is faster has to agree."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal

from tools.amounts import number_of
from tools.provenance.egress import _parts, _readings
from tools.provenance.labels import Leaf, Source
from tools.provenance.sources import NOWHERE, USER, Origin
from tools.provenance.texts import amounts_in, plain

_BEFORE, _AFTER = r"(?<![\w@+%/\\-])(?<!\w[.])", r"(?![\w@+%\\-])(?![./:]\w)"
_ORDER: tuple[Source, ...] = ("user", "trusted", "untrusted")


def is_in(value: str, text: str) -> bool:
    """Return whether a plain value stands in a plain text: one expression, over the whole text."""
    return bool(value) and re.search(_expression(value), text) is not None


def _expression(value: str) -> str:
    bare = re.sub(r"^https?://", "", value)
    letters = re.sub(r"[\s-]", "", bare)
    if len(letters) >= 8 and letters.isalnum() and any(char.isdigit() for char in letters):
        body = r"[\s-]?".join(re.escape(char) for char in letters)
    else:
        body = re.escape(bare.rstrip("/") or bare)
    scheme = "(?:https?://)?" if bare != value else ""
    return f"{_BEFORE}{scheme}{body}{'/?' if scheme else ''}{_AFTER}"


class PlainSources:
    """What ``Sources`` answers, found by looking everywhere."""

    def __init__(self, words: Iterable[str], leaves: Iterable[Leaf]) -> None:
        self.words = [plain(text) for text in words]
        read = [(plain(leaf.text), leaf) for leaf in leaves]
        self.leaves = [each for source in _ORDER for each in read if each[1].label.source == source]

    def trace(self, value: str) -> Origin:
        wanted = plain(value)
        if any(is_in(wanted, text) for text in self.words):
            return USER
        return _origin(leaf for text, leaf in self.leaves if is_in(wanted, text))

    def trace_amount(self, amount: Decimal) -> Origin:
        if any(amount in _amounts(text) for text in self.words):
            return USER
        return _origin(leaf for text, leaf in self.leaves if amount in _amounts(text))

    def carried(self, payload: Iterable[str]) -> bool:
        texts = [form for text in payload for form in _readings(text)]
        secret = (part for text, leaf in self.leaves if leaf.label.sensitive for part in _parts(text))
        return any(_is_held(part, texts) for part in secret)


def _is_held(part: str, texts: list[str]) -> bool:
    bare = _squeeze(part)
    hides = len(bare) >= 8 and re.search(r"\d|@", part) is not None
    hidden = hides and any(bare in _squeeze(text) or bare[::-1] in _squeeze(text) for text in texts)
    return hidden or any(is_in(part, text) for text in texts)


def _squeeze(text: str) -> str:
    return "".join(char for char in text if char.isalnum())


def _amounts(text: str) -> Iterable[Decimal]:
    number = number_of(text)
    return amounts_in(text) if number is None else (number,)


def _origin(found: Iterator[Leaf]) -> Origin:
    leaf = next(found, None)
    return NOWHERE if leaf is None else Origin(leaf.label.source, leaf.origin)
