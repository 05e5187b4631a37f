"""Arguments bound to a recorded decision: the model passes on what a table has decided, and nothing else.

A tool version declares ``{"amount": {"tool": "refund_eligibility", "output": "amount", "inputs": {"order_id":
"order_id"}}}``: the argument equals that output of a decision that was made in this run, whose named inputs equal
the named arguments of this very call. The latest such decision counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.amounts import LARGEST, number_of

CODE = "not_the_decided_value"
PARTS = frozenset({"tool", "output", "inputs"})

Bound = Mapping[str, Any]  # Any: JSON, checked when the version was added
Json = Any  # a value of it


@dataclass(frozen=True, slots=True)
class MadeDecision:
    """A decision that was made in a run: the arguments of its call, and the outputs."""

    tool: str
    arguments: Mapping[str, Json]
    outputs: Json


def find_unbound(bound: Bound, arguments: Mapping[str, Json], made: Sequence[MadeDecision]) -> Iterator[str]:
    """Yield, in words that repeat no value, which arguments are not what was decided; the latest decision is last."""
    for name, told in bound.items():
        inputs: Mapping[str, str] = told["inputs"]
        fitting = [
            each
            for each in made
            if each.tool == told["tool"]
            and all(
                wanted in each.arguments
                and argument in arguments
                and is_same(each.arguments[wanted], arguments[argument])
                for wanted, argument in inputs.items()
            )
        ]
        if not fitting:
            about = f" with the same {', '.join(inputs)}" if inputs else ""
            yield f"{name} has to be decided by {told['tool']}{about} in this run first"
        elif not _is_output(fitting[-1].outputs, told["output"], arguments.get(name)):
            yield f"{name} is not the {told['output']} that {told['tool']} has decided"


def keeps_bindings(before: Bound, after: Bound) -> bool:
    """Return whether all that was bound still is, with the same inputs compared at least."""
    return all(
        name in after
        and (after[name]["tool"], after[name]["output"]) == (told["tool"], told["output"])
        and told["inputs"].items() <= after[name]["inputs"].items()
        for name, told in before.items()
    )


def find_binding_faults(bound: object, properties: Mapping[str, Json]) -> Iterator[str]:
    """Yield what has to be put right in what a version declares as bound, worded as "where: what"."""
    if not isinstance(bound, Mapping):
        yield 'bound: {"argument": {"tool": …, "output": …, "inputs": {input: argument}}}'
        return
    for name, told in bound.items():
        if name not in properties:
            yield f"bound: {name!r} is not a declared argument"
        if not isinstance(told, Mapping) or set(told) != PARTS or not isinstance(told["inputs"], Mapping):
            yield f"bound: {name!r} needs tool, output and inputs"
            continue
        if not all(isinstance(told[part], str) and told[part] for part in ("tool", "output")):
            yield f"bound: {name!r} names a tool and one of its outputs"
        for argument in told["inputs"].values():
            if not isinstance(argument, str) or argument not in properties:
                yield f"bound: {name!r} compares an input with {argument!r}, which is not a declared argument"


def is_same(one: Json, other: Json) -> bool:
    """Return whether two values mean the same: 50, 50.0 and "50.00" do, true and 1 do not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if one == other:
        return True
    first, second = number_of(one), number_of(other)
    return first is not None and first == second and abs(first) <= LARGEST


def _is_output(outputs: Json, name: str, value: Json) -> bool:
    """Return whether a value is that output; one of several rows is none, and null binds nothing."""
    decided = outputs.get(name) if isinstance(outputs, Mapping) else None
    return decided is not None and is_same(decided, value)
