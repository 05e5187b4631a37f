"""Letters of one script: what looks like a name has to be written as that name is.

Follows UTS #39, "highly restrictive": one script in a word, or one of the mixtures that Chinese, Japanese and Korean
are written in. A letter's script is the first word of its name in the Unicode Character Database.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_NAME = 200
_HAN = frozenset({"LATIN", "CJK"})
_MIXTURES = (_HAN | {"HIRAGANA", "KATAKANA"}, _HAN | {"BOPOMOFO"}, _HAN | {"HANGUL"})
_WORDS = re.compile(r"[^\s.@/\-_,;:()&'’]+")
# Small letters of other scripts that are drawn as Latin ones.
_LOOKALIKES = frozenset("асԁеһіјӏорԛѕԝхуѵҽαικνορτυωϲϳօոսհցզղ")
_LATIN = re.compile(r"[A-Za-z]")
_JOINERS = "\u200c\u200d\u200e\u200f\ufe0e\ufe0f"


def is_plain_name(text: str) -> bool:
    """Return whether a text is a name that nobody takes for another one: of a person, a firm, a street."""
    is_trim = text == text.strip() and "  " not in text and "\n" not in text and "\t" not in text
    is_plain = is_trim and is_single_script(text) and not poses_beside_latin(text)
    return bool(text) and len(text) <= LONGEST_NAME and is_plain


def is_single_script(text: str) -> bool:
    """Return whether each word keeps to one script, composed (NFC), without stylised letters and joiners."""
    if not text.isprintable():
        return False
    if not unicodedata.is_normalized("NFC", text) or any(char in _JOINERS for char in text):
        return False
    return all(_is_one_script(word) for word in _WORDS.findall(text))


def poses_as_latin(text: str) -> bool:
    """Return whether a word is written in letters of another script, all of which look like Latin ones."""
    words = (word.lower() for word in _WORDS.findall(text) if not word.isascii())
    letters = ([char for char in word if char.isalpha()] for word in words)
    return any(word and all(char in _LOOKALIKES for char in word) for word in letters)


def poses_beside_latin(text: str) -> bool:
    """Return whether a word poses as Latin beside Latin ones; a text that is wholly in its own script is honest."""
    return poses_as_latin(text) and _LATIN.search(text) is not None


def _is_one_script(word: str) -> bool:
    if any(_poses_as_letter(char) for char in word):
        return False
    scripts = {_script_of(char) for char in word if unicodedata.category(char)[0] == "L"} - {"MODIFIER"}
    return len(scripts) <= 1 or any(scripts <= mixture for mixture in _MIXTURES)


@lru_cache(4_096)
def _poses_as_letter(char: str) -> bool:
    """Return whether a character, of whatever kind, is drawn as plain letters: U+1D400, U+2170, U+24D0."""
    plain = unicodedata.normalize("NFKC", char)
    is_one = len(plain) == 1 or unicodedata.category(char)[0] in "LN"  # a trade mark is a sign of its own
    return plain != char and plain.isascii() and plain.isalpha() and is_one


@lru_cache(4_096)
def _script_of(letter: str) -> str:
    """Return a letter's script."""
    name = unicodedata.name(letter, "").removeprefix("HALFWIDTH ")
    return "CJK" if name.startswith("IDEOGRAPHIC") else re.split(r"[ -]", name)[0]
