"""What a tool version says about showing beforehand what its calls change.

``{"tool": "get_order", "arguments": {"order_id": "$arguments.order_id"}, "pin": "/order/version",
"changes": [{"label": "Paid back", "type": "money", "before": "/order/refunded", "after": {"plus":
["/order/refunded", "$arguments.amount"]}, "currency": "USD"}]}``: the tool that only reads is asked just so. A value
stands in its answer (a JSON pointer, RFC 6901), in the call (``$arguments.``), or is itself what is meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tools.formats import find_hidden

Json = Any  # a value of a definition, a call or an answer
ChangeType = Literal["money", "text", "number", "date", "status", "boolean"]

NEEDED = frozenset({"tool", "changes"})
PARTS = NEEDED | {"arguments", "pin"}
OF_A_CHANGE = frozenset({"label", "type", "before", "after"})
TYPES: tuple[ChangeType, ...] = get_args(ChangeType)
COUNTED: tuple[ChangeType, ...] = ("money", "number")
ARGUMENT = "$arguments."
ANSWER, SHOWN, ETAG = "answer", "shown", "etag"  # what else than a place may be the pin
SUMS = frozenset({"plus", "minus"})
MOST_CHANGES, LONGEST_LABEL, LONGEST_PATH, MOST_PARTS = 20, 60, 200, 10


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a call changes: where it stands before, and where it says what it will be."""

    label: str
    type: ChangeType
    before: Json
    after: Json
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """By which tool, asked with what, a call's changes are shown; ``pin`` is what names the target's state."""

    tool: str
    changes: tuple[Change, ...]
    arguments: Mapping[str, Json] = field(default_factory=dict)
    pin: str = ANSWER


def read_preview(raw: Mapping[str, Json] | None, currency: str) -> Preview | None:
    """Return a checked definition's ``preview``; money without a currency of its own is in the tool's."""
    if not raw:
        return None
    changes = tuple(
        Change(each["label"], each["type"], each["before"], each["after"], _currency(each, currency))
        for each in raw["changes"]
    )
    return Preview(raw["tool"], changes, raw.get("arguments", {}), raw.get("pin", ANSWER))


def _currency(told: Mapping[str, Json], default: str) -> str:
    return str(told.get("currency", default)) if told["type"] == "money" else ""


def is_pointer(value: Json) -> bool:
    """Return whether a value of a declaration is a place in the answer."""
    return isinstance(value, str) and value.startswith("/")


def is_argument(value: Json) -> bool:
    """Return whether a value of a declaration is a place in the call."""
    return isinstance(value, str) and value.startswith(ARGUMENT)


def path_of(argument: str) -> list[str]:
    """Return the names that ``$arguments.a.b`` leads through."""
    return argument.removeprefix(ARGUMENT).split(".")


def find_declaration_faults(raw: object) -> Iterator[str]:
    """Yield what is wrong with the shape of a definition's ``preview``, worded as "where: what"."""
    if not isinstance(raw, Mapping) or not set(raw) >= NEEDED or not set(raw) <= PARTS:
        yield f"preview: give tool and changes, and of {', '.join(sorted(PARTS - NEEDED))} what is needed"
        return
    if not isinstance(raw["tool"], str) or not raw["tool"]:
        yield "preview/tool: a name"
    if not isinstance(raw.get("arguments", {}), Mapping):
        yield "preview/arguments: what the tool is asked with, by name"
    pin = raw.get("pin", ANSWER)
    if pin not in (ANSWER, SHOWN, ETAG) and not _is_place(pin):
        yield f"preview/pin: a place in the answer such as /version, or {ETAG}, {ANSWER}, {SHOWN}"
    changes = raw["changes"]
    if not isinstance(changes, list) or not 0 < len(changes) <= MOST_CHANGES:
        yield f"preview/changes: 1 to {MOST_CHANGES} things that a call changes"
        return
    for place, told in enumerate(changes):
        yield from (f"preview/changes/{place}{fault}" for fault in _find_change_faults(told))
    labels = [str(told.get("label")) for told in changes if isinstance(told, Mapping)]
    if len(set(labels)) < len(labels):
        yield "preview/changes: name each thing once, or nobody can tell which has changed"


def _find_change_faults(told: object) -> Iterator[str]:
    if not isinstance(told, Mapping) or not OF_A_CHANGE <= set(told) <= OF_A_CHANGE | {"currency"}:
        yield f": give {', '.join(sorted(OF_A_CHANGE))}, and for money its currency"
        return
    label = told["label"]
    if not isinstance(label, str) or not 0 < len(label.strip()) <= LONGEST_LABEL or any(find_hidden(label)):
        yield f"/label: what changes, in at most {LONGEST_LABEL} characters that people can see"
    if told["type"] not in TYPES:
        yield f"/type: declare one of {', '.join(TYPES)}"
        return
    for name in ("before", "after"):
        if not _is_source(told[name], told["type"]):
            yield f"/{name}: a place in the answer (/status), an argument ({ARGUMENT}name), or a plain value"
    currency = told.get("currency", "USD")
    if told["type"] != "money" and "currency" in told:
        yield "/currency: only money has one"
    elif not isinstance(currency, str) or not (_is_place(currency) or 0 < len(currency) <= 8):
        yield "/currency: a code such as USD, or its place in the answer"


def _is_source(value: Json, kind: ChangeType) -> bool:
    if isinstance(value, Mapping):
        return kind in COUNTED and _is_sum(value)
    if isinstance(value, str):
        return len(value) <= LONGEST_PATH and not any(find_hidden(value))
    return value is None or isinstance(value, bool | int | float)


def _is_sum(value: Mapping[str, Json]) -> bool:
    parts = [each for listed in value.values() if isinstance(listed, list) for each in listed]
    if not value.get("plus") or not set(value) <= SUMS or len(parts) > MOST_PARTS:
        return False
    return all(isinstance(listed, list) for listed in value.values()) and all(
        isinstance(each, str) and (is_pointer(each) or is_argument(each)) for each in parts
    )


def _is_place(value: Json) -> bool:
    return isinstance(value, str) and is_pointer(value) and len(value) <= LONGEST_PATH
