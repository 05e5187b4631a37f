"""Tool calls as models write them: read with suspicion, none lost, none guessed at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from agentops.strict_json import MalformedJSON, clean_text, decode_json
from runs.planner.answers import CallProblem, ProposedCall

MAX_CALLS = 64
MAX_ARGUMENT_BYTES = 256 * 1024
MAX_ARGUMENT_DEPTH = 64

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
# Of a name or an id: more than any valid one has, so that a cut one is still seen to be invalid.
_MAX_LABEL_CHARS = 128


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

    Raises MalformedJSON for anything else, and for duplicate keys, NaN, infinities (1e999 too), over
    256 KiB of UTF-8, nesting over 64, and characters that cannot be stored.
    """
    if len(raw) > MAX_ARGUMENT_BYTES or len(raw.encode("utf-8", "surrogatepass")) > MAX_ARGUMENT_BYTES:
        raise MalformedJSON(f"longer than {MAX_ARGUMENT_BYTES} bytes")
    value = decode_json(raw, max_depth=MAX_ARGUMENT_DEPTH)
    if not isinstance(value, dict):
        raise MalformedJSON("not an object")
    return value


def is_tool_name(name: object) -> bool:
    """Return whether providers take `name` as the name of a function."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


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
    except MalformedJSON as error:
        return refused("malformed_arguments", str(error))


def _call_id(entry: object, index: int, taken: set[str]) -> str:
    """Return the provider's id if it can be used as one, else a name of our own.

    Servers are seen that send none, an empty one, or the same one for every call of a turn.
    """
    given = entry.get("id") if isinstance(entry, dict) else None
    usable = isinstance(given, str) and 0 < len(given) <= _MAX_LABEL_CHARS and clean_text(given) == given
    call_id = str(given) if usable else f"call_{index}"
    if call_id not in taken:
        return call_id
    return next(name for n in count(1) if (name := f"call_{index}_{n}") not in taken)


def _cut(raw: str) -> str:
    return raw.encode()[:MAX_ARGUMENT_BYTES].decode("utf-8", "ignore")
