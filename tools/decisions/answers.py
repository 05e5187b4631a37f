"""A decision as JSON for whoever asked: its outputs by name, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tools.decisions.deciding import Decider
from tools.decisions.feel.temporal import write_temporal
from tools.decisions.feel.values import Value
from tools.decisions.results import NO_DECISION, Outcome, Row
from tools.decisions.results import Decision as Decided

_INTEGER_LIMIT = 2**53 - 1  # beyond it a JSON number does not keep its digits


def write_answer(decider: Decider, value: Outcome) -> object:
    """Return the outputs by name, a list of them where the hit policy makes lists, and None for no decision."""
    if value is NO_DECISION:
        return None
    if isinstance(value, list):
        return [_write_row(decider, row) for row in value]
    return _write_row(decider, value)


def write_trace(made: Mapping[str, Decided]) -> list[dict[str, object]]:
    """Return how each decision came about, the one that counts last; every value is S-FEEL text."""
    return [
        {"decision": name, **decision.trace()} if name else decision.trace()
        for name, decision in made.items()
    ]


def write_json(value: Value) -> object:
    """Return one value as JSON; a number as a number where that keeps it, else as the nearest one."""
    if value is None or isinstance(value, bool | str):
        return value
    if not isinstance(value, Decimal):
        return write_temporal(value)
    if value == value.to_integral_value() and abs(value) <= _INTEGER_LIMIT:
        return int(value)
    return float(value)


def _write_row(decider: Decider, row: Row) -> dict[str, object]:
    if isinstance(row, dict):
        return {name: write_json(value) for name, value in row.items()}
    return {decider.outputs[0].name: write_json(row)}
