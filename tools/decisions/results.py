"""A decision, and how it came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from tools.decisions.feel.literals import write_value
from tools.decisions.feel.values import Value
from tools.decisions.tables import Aggregation, HitPolicy


class NoDecision(Enum):
    """The type of NO_DECISION."""

    NO_DECISION = "no decision"


# No rule was hit and nothing is the default: a value of its own, so that nobody takes it for a yes. Callers deny.
NO_DECISION = NoDecision.NO_DECISION

Row = Value | dict[str, Value]  # one output, or several by their names
Outcome = Row | list[Row] | NoDecision


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that was hit: its number from 1, and what it says."""

    number: int
    rule: str
    outputs: tuple[Value, ...]
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, from which inputs, by which rules. `rules` are those that `value` is made of."""

    value: Outcome
    inputs: tuple[tuple[str, Value], ...]
    hit_policy: HitPolicy | None = None  # of a table; a formula has none
    aggregation: Aggregation | None = None
    hits: tuple[Hit, ...] = ()
    rules: tuple[str, ...] = ()
    by_default: bool = False

    def scalar(self) -> Value:
        """Return the value where it is a single one, and null where nothing was decided."""
        return None if isinstance(self.value, dict | list | NoDecision) else self.value

    def trace(self) -> dict[str, object]:
        """Return all of it as JSON in which every value is S-FEEL text, so that nothing is rounded."""
        return {
            "inputs": [{"expression": name, "value": write_value(value)} for name, value in self.inputs],
            "hit_policy": self.hit_policy.value if self.hit_policy else None,
            "aggregation": self.aggregation.value if self.aggregation else None,
            "hits": [_trace_hit(hit) for hit in self.hits],
            "rules": list(self.rules),
            "by_default": self.by_default,
            "value": write_outcome(self.value),
        }


def write_outcome(value: Outcome) -> object:
    """Return an outcome as JSON: values as S-FEEL text, no decision as null (a null that was decided is a text)."""
    if isinstance(value, NoDecision):
        return None
    return [_write_row(row) for row in value] if isinstance(value, list) else _write_row(value)


def _write_row(row: Row) -> object:
    if isinstance(row, Mapping):
        return {name: write_value(value) for name, value in row.items()}
    return write_value(row)


def _trace_hit(hit: Hit) -> dict[str, object]:
    return {
        "number": hit.number,
        "rule": hit.rule,
        "outputs": [write_value(value) for value in hit.outputs],
        "annotations": list(hit.annotations),
    }
