"""JSON as RFC 7493 (I-JSON) narrows it: one meaning per text, whatever parser reads it next.

Free of any framework: request bodies and the arguments that models write are read alike.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NoReturn

MAX_DEPTH = 32

# Exact in an IEEE double; a larger integer would be another number to a JavaScript client (RFC 7493, 2.2).
MAX_INTEGER = 2**53 - 1

# Legal in a JSON string, yet neither PostgreSQL nor canonical JSON (RFC 8785) can hold them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class MalformedJSON(ValueError):
    """The text is not one usable JSON value; the message quotes nothing of it."""


def parse_json(raw: bytes) -> Any:  # Any: an arbitrary JSON value
    """Return the JSON value in `raw`.

    Raises MalformedJSON for broken syntax, text that is not UTF-8, a key that occurs twice, NaN and
    infinities (1e999 too), integers beyond 2^53, nesting over 32, NUL and lone surrogates.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedJSON("not UTF-8") from None
    return decode_json(text, max_depth=MAX_DEPTH, parse_int=_integer)


def decode_json(text: str, *, max_depth: int, parse_int: Callable[[str], int] = int) -> Any:  # Any: as above
    """Return the JSON value in a text; integers of any size unless `parse_int` refuses some.

    Raises MalformedJSON as `parse_json` does.
    """
    try:
        value = _decoder(parse_int).decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJSON(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MalformedJSON(f"nested deeper than {max_depth}") from None
    except MalformedJSON:
        raise
    except ValueError:
        # int() refuses numbers of thousands of digits, whose conversion takes quadratic time.
        raise MalformedJSON("a number is too long") from None
    _refuse_extremes(text, value, max_depth)
    return value


def clean_text(text: str) -> str:
    """Replace the characters that cannot be stored by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _refuse_extremes(text: str, value: object, max_depth: int) -> None:
    # The number of openings bounds the depth, and only an escape hides a character from a look at the text
    # itself: the walk is rare.
    suspicious = text.count("{") + text.count("[") > max_depth or "\\u" in text
    for item, depth in _walk(value) if suspicious else ((text, 0),):
        if isinstance(item, dict | list) and depth >= max_depth:
            raise MalformedJSON(f"nested deeper than {max_depth}")
        if isinstance(item, str) and _UNSTORABLE.search(item):
            raise MalformedJSON("a text contains NUL or half of a surrogate pair")


def _walk(value: object) -> Iterator[tuple[object, int]]:
    """Yield every key and value with the number of containers around it, without recursion."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        yield item, depth
        if isinstance(item, dict):
            waiting += [(inner, depth + 1) for pair in item.items() for inner in pair]
        elif isinstance(item, list):
            waiting += [(inner, depth + 1) for inner in item]


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a decoded object; raises MalformedJSON for a key that occurs twice."""
    # Parsers differ in which of two equal keys counts: what was approved might not be what is executed.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedJSON("a key occurs twice")
    return value


def _integer(digits: str) -> int:
    # The length first: converting thousands of digits takes quadratic time.
    if len(digits) > 17 or abs(int(digits)) > MAX_INTEGER:
        raise MalformedJSON("an integer is beyond 2^53")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJSON("a number is out of range")
    return number


def _refuse_constant(constant: str) -> NoReturn:
    raise MalformedJSON(f"{constant} is not JSON")


@cache
def _decoder(parse_int: Callable[[str], int]) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=unique_object,
        parse_int=parse_int,
        parse_float=_finite,
        parse_constant=_refuse_constant,
    )
