"""Tool calls as models write them: read with suspicion, none lost, none guessed at."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, NoReturn

from runs.planner.answers import CallProblem, ProposedCall

MAX_CALLS = 64
MAX_ARGUMENT_BYTES = 256 * 1024
MAX_ARGUMENT_DEPTH = 64

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Of a name or an id: more than any valid one has, so that a cut one is still seen to be invalid.
_MAX_LABEL_CHARS = 128

# Legal in a JSON string, yet neither PostgreSQL nor canonical JSON (RFC 8785) can hold them.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class MalformedArguments(ValueError):
    """The arguments are not one usable JSON object; the message names no content."""


def read_calls(proposed: Sequence[object], *, cut_short: bool) -> tuple[ProposedCall, ...]:
    """Return the first 64 proposed calls in order, each with its problem if it has one.

    `cut_short`: the provider stopped the turn before its end. The last call is then never executed, even
    if it parses: some servers close the open braces, and a cut amount is still a number.
    """
    calls: list[ProposedCall] = []
    taken: set[str] = set()
    for index, entry in enumerate(proposed[:MAX_CALLS]):
        call_id = _call_id(entry, index, taken)
        taken.add(call_id)
        calls.append(_read_call(entry, call_id, truncated=cut_short and index == len(proposed) - 1))
    return tuple(calls)


def parse_arguments(raw: str) -> dict[str, Any]:
    """Return the JSON object in `raw`.

    Raises MalformedArguments for anything else, and for duplicate keys, NaN, infinities (1e999 too), over
    256 KiB of UTF-8, nesting over 64, and characters that cannot be stored.
    """
    if len(raw) > MAX_ARGUMENT_BYTES or len(raw.encode("utf-8", "surrogatepass")) > MAX_ARGUMENT_BYTES:
        raise MalformedArguments(f"longer than {MAX_ARGUMENT_BYTES} bytes")
    try:
        value = _DECODER.decode(raw)
    except json.JSONDecodeError as error:
        raise MalformedArguments(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise MalformedArguments("nested too deeply") from None
    except MalformedArguments:
        raise
    except ValueError:
        # int() refuses numbers of thousands of digits, whose conversion takes quadratic time.
        raise MalformedArguments("a number is too long") from None
    if not isinstance(value, dict):
        raise MalformedArguments("not an object")
    _refuse_extremes(raw, value)
    return value


def is_tool_name(name: object) -> bool:
    """Return whether providers take `name` as the name of a function."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def clean_text(text: str) -> str:
    """Replace the characters that cannot be stored by U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _read_call(entry: object, call_id: str, *, truncated: bool) -> ProposedCall:
    function = entry.get("function") if isinstance(entry, dict) else None
    if not isinstance(function, dict):
        return ProposedCall("", None, "", call_id, "malformed_call", "not a function call")
    name, raw = function.get("name"), function.get("arguments")
    shown_name = clean_text(name)[:_MAX_LABEL_CHARS] if isinstance(name, str) else ""
    shown_raw = _cut(clean_text(raw)) if isinstance(raw, str) else ""

    def refused(problem: CallProblem, detail: str) -> ProposedCall:
        return ProposedCall(shown_name, None, shown_raw, call_id, problem, detail)

    if truncated:
        return refused("truncated", "the turn ended inside this call")
    if not is_tool_name(name):
        return refused("invalid_name", "a tool name has 1 to 64 characters of A-Z a-z 0-9 _ -")
    if not isinstance(raw, str):
        return refused("malformed_arguments", "not a string")
    try:
        return ProposedCall(shown_name, parse_arguments(raw), shown_raw, call_id, None)
    except MalformedArguments as error:
        return refused("malformed_arguments", str(error))


def _call_id(entry: object, index: int, taken: set[str]) -> str:
    """Return the provider's id if it can be used as one, else a name of our own.

    Servers are seen that send none, an empty one, or the same one for every call of a turn.
    """
    given = entry.get("id") if isinstance(entry, dict) else None
    usable = isinstance(given, str) and 0 < len(given) <= _MAX_LABEL_CHARS and not _UNSTORABLE.search(given)
    call_id = str(given) if usable else f"call_{index}"
    if call_id not in taken:
        return call_id
    return next(name for n in count(1) if (name := f"call_{index}_{n}") not in taken)


def _cut(raw: str) -> str:
    return raw.encode()[:MAX_ARGUMENT_BYTES].decode("utf-8", "ignore")


def _refuse_extremes(raw: str, value: dict[str, Any]) -> None:
    # The number of openings bounds the depth, and only an escape hides a character from a look at the raw
    # text: the walk is rare.
    suspicious = raw.count("{") + raw.count("[") > MAX_ARGUMENT_DEPTH or "\\u" in raw
    for item, depth in _walk(value) if suspicious else ((raw, 0),):
        if isinstance(item, dict | list) and depth >= MAX_ARGUMENT_DEPTH:
            raise MalformedArguments(f"nested deeper than {MAX_ARGUMENT_DEPTH}")
        if isinstance(item, str) and _UNSTORABLE.search(item):
            raise MalformedArguments("contains a NUL or half a surrogate pair")


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


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers differ in which of two equal keys counts: what was approved might not be what is executed.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedArguments("a key occurs twice")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedArguments("a number is out of range")
    return number


def _refuse_constant(constant: str) -> NoReturn:
    raise MalformedArguments(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_object, parse_float=_finite, parse_constant=_refuse_constant
)
