"""Text from strangers: what of it can be seen, and what only pretends to be there or hides."""

from __future__ import annotations

import unicodedata
from typing import Any


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: spaces, controls and zero-width characters only."""
    return not any(unicodedata.category(char)[0] not in "CZ" and char not in _UNSEEN for char in text)


# Letters by their category, yet drawn as nothing.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


# What turns a text round, or is drawn as nothing: no line ends, and no signs of scripts that are drawn. As ranges, for
# it takes long to ask each character of Unicode for its category.
HIDDEN = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
)


def code_of(char: str) -> str:
    """Return what stands for a character that cannot be seen."""
    return f"[U+{ord(char):04X}]"


def spell_out(text: str, keep: str = "") -> str:
    """Return a text whose controls, bidi marks and zero-width characters stand as their codes."""
    return "".join(char if _shows(char) or char in keep else code_of(char) for char in text)


def _shows(char: str) -> bool:
    return char == " " or (unicodedata.category(char)[0] not in "CZ" and char not in _UNSEEN)


def spell_out_all(value: Any) -> Any:  # Any: a JSON value
    """Return a JSON value with its texts spelled out; their lines stay."""
    if isinstance(value, str):
        return spell_out(value, keep="\n\t")
    if isinstance(value, list):
        return [spell_out_all(item) for item in value]
    if isinstance(value, dict):
        return {spell_out(name): spell_out_all(item) for name, item in value.items()}
    return value
