"""Text from strangers: what of it can be seen, and what only pretends to be there or hides."""

from __future__ import annotations

import unicodedata
from typing import Any


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: spaces, controls and zero-width characters only."""
    return not any(unicodedata.category(char)[0] not in "CZ" and char not in _UNSEEN for char in text)


# Letters by their category, yet drawn as nothing.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"


def spell_out(text: str, keep: str = "") -> str:
    """Return a text whose controls, bidi marks and zero-width characters stand as their codes."""
    return "".join(char if _shows(char) or char in keep else f"[U+{ord(char):04X}]" for char in text)


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
