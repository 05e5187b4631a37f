"""Writing JSON by the faster encoder, wherever it writes what the standard library's does.

The two differ in floats and in what only one of them takes: times, ids, enums, integers beyond 64 bits.
"""

from __future__ import annotations

from typing import Any

import orjson

_PLAIN = frozenset({str, int, bool, type(None)})


def dump_plain(value: Any, *, sort_keys: bool = False) -> bytes | None:  # Any: an arbitrary JSON value
    """Return a value as compact JSON in UTF-8; None for one that the standard library has to write or to refuse."""
    if not _is_plain(value):
        return None
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except orjson.JSONEncodeError:  # integers beyond 64 bits, names that are no text, half a surrogate pair
        return None


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        value = value.values()
    elif kind is not list and kind is not tuple:
        return kind in _PLAIN
    # Every entry of every run comes by here: one look in C at all types tells of most that there is nothing to walk.
    return _PLAIN.issuperset(map(type, value)) or all(map(_is_plain, value))
