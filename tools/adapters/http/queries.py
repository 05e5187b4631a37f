"""A read-back that asks about the thing instead of the key: what has to stand there if the effect has happened.

Configuration, beside the read-back's address, which arguments of the call fill::

    {"url": "https://shop.example/orders/{order_id}",
     "happened": {"/status": "cancelled", "/refund/amount": "$arguments.amount"}}

JSON pointers (RFC 6901) lead into the answer. It happened if all that is named is there and equal, and nothing
happened if something named is there and differs. Whatever cannot be compared proves nothing: a wrong "no" would
make a second effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tools.adapters.base import NOT_EXECUTED, accept_value
from tools.adapters.http.answers import judge
from tools.adapters.http.wire import Exchange
from tools.calls import Call
from tools.outcomes import JSON, Outcome, doubt, fail, succeed

ARGUMENT = "$arguments."
_NOTHING = object()


def judge_query(call: Call, exchange: Exchange, happened: Mapping[str, Any], limit_bytes: int) -> Outcome:
    """Return what a query tells of the effect; its answer is the call's result only if the tool promises such a one."""
    if exchange.status == 404:  # the thing is away, which does not tell what became of it
        return doubt(call.spec.effect, "http_404", "What was asked about is not there.")
    # What was promised is promised of the call's result, not of what a query answers.
    read = judge(replace(call, spec=replace(call.spec, output_schema=None)), exchange, limit_bytes)
    if read.status != "succeeded":
        return read
    verdicts = {_compare(read.value, pointer, wanted, call) for pointer, wanted in happened.items()}
    if None in verdicts:
        return doubt(call.spec.effect, "bad_output", "The query's answer does not tell what happened.")
    if False in verdicts:
        return fail(NOT_EXECUTED, "What was asked about is not as the call leaves it.", retryable=True)
    accepted = accept_value(call, read.value, limit_bytes)
    return accepted if accepted.status == "succeeded" else succeed(None)


def _compare(answer: JSON, pointer: str, wanted: Any, call: Call) -> bool | None:
    """Return whether what stands there is what is wanted; None if that cannot be said."""
    if isinstance(wanted, str) and wanted.startswith(ARGUMENT):
        wanted = call.arguments.get(wanted.removeprefix(ARGUMENT), _NOTHING)
    found = _look_up(answer, pointer)
    if wanted is _NOTHING or found is _NOTHING or isinstance(wanted, dict | list):
        return None
    if found is None or _kind_of(found) == _kind_of(wanted):
        return bool(found == wanted)
    return None  # 10.50 and "10.5" may be the same amount


def _look_up(answer: JSON, pointer: str) -> Any:
    node: Any = answer
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict):
            node = node.get(name, _NOTHING)
        else:
            node = node[int(name)] if isinstance(node, list) and _is_place(name, node) else _NOTHING
    return node


def _is_place(name: str, node: list[Any]) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 9 and int(name) < len(node)


def _kind_of(value: Any) -> type:
    return float if type(value) is int else type(value)
