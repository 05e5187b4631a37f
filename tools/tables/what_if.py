"""What a table would decide: asked of the function that decides, with nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from tools.decisions.answers import write_answer, write_trace
from tools.decisions.deciding import Decider, compile_definition
from tools.decisions.definitions import read_definition
from tools.models import DecisionTable, DecisionTableVersion
from tools.tables.in_force import VersionInForce, find_by_id


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a version decides about inputs; ``outputs`` is None where it decides nothing."""

    version: int
    digest: str
    outputs: object
    trace: list[dict[str, object]]


def decide_as(
    table: DecisionTable,
    version: DecisionTableVersion | None,
    inputs: Mapping[str, Any],  # Any: JSON
    at: datetime,
) -> WhatIf | None:
    """Return what a version, a draft included, decides, or the one in force at a time; None where there is none.

    Raises ValidationFailed for a draft that is none yet and for inputs that are wrong, StateConflict for rules that
    contradict each other.
    """
    if version is not None:
        decider = compile_definition(read_definition(version.definition))
        return _decide(decider, version.number, version.digest, inputs)
    found = find_in_force(table, at)
    return _decide(found.decider, found.number, found.digest, inputs) if found else None


def find_in_force(table: DecisionTable, at: datetime) -> VersionInForce | None:
    """Return the version that decides at a time, None where none does."""
    connection.ensure_connection()
    return find_by_id(connection.connection, table.pk, at)


def _decide(decider: Decider, number: int, digest: str, inputs: Mapping[str, Any]) -> WhatIf:  # Any: JSON
    made = decider.decide(inputs)
    outputs = write_answer(decider, list(made.values())[-1].value)
    return WhatIf(number, digest, outputs, write_trace(made))
