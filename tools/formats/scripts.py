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
_JOINERS = "\u200c\u200d\u200e\u200f\ufe0e\ufe0f"


def is_plain_name(text: str) -> bool:
    """Return whether a text is a name that nobody takes for another one: of a person, a firm, a street."""
    is_trim = text == text.strip() and "  " not in text and "\n" not in text and "\t" not in text
    return bool(text) and len(text) <= LONGEST_NAME and is_trim and is_single_script(text)


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
    return any(all(char in _LOOKALIKES for char in word if char.isalpha()) for word in words)


def _is_one_script(word: str) -> bool:
    scripts = {_script_of(char) for char in word if unicodedata.category(char)[0] == "L"} - {"MODIFIER"}
    return "" not in scripts and (len(scripts) <= 1 or any(scripts <= mixture for mixture in _MIXTURES))


@lru_cache(4_096)
def _script_of(letter: str) -> str:
    """Return a letter's script; nothing for one that only poses as a letter of another, as U+1D400 does."""
    plain = unicodedata.normalize("NFKC", letter)
    if plain != letter and plain.isascii() and plain.isalpha():
        return ""
    name = unicodedata.name(letter, "").removeprefix("HALFWIDTH ")
    return "CJK" if name.startswith("IDEOGRAPHIC") else re.split(r"[ -]", name)[0]
