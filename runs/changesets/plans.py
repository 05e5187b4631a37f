"""What an applying run is to carry out, as the first entry of its stream has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import NotFound

APPLY = "apply"  # in place of a model's name
_FIRST = "SELECT facts -> 'applies' FROM ledger_entry WHERE stream = %s AND seq = 1"


@dataclass(frozen=True, slots=True)
class ToApply:
    """An accepted item: where its words stand in the proposing run, its request, and what has to come before."""

    number: int
    seq: int
    tool: str
    request: UUID
    digest: str
    depends_on: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """The accepted items of a change set, by number."""

    run: UUID
    items: Mapping[int, ToApply]

    def as_facts(self) -> dict[str, Any]:  # Any: JSON
        """Return the plan as the facts of an entry."""
        listed = [
            [x.number, x.seq, x.tool, str(x.request), x.digest, list(x.depends_on)]
            for x in self.items.values()
        ]
        return {"run": str(self.run), "items": listed}


def plan_of(facts: dict[str, Any]) -> ApplyPlan:  # Any: JSON
    """Return the plan that ``as_facts`` wrote."""
    items = [
        ToApply(number, seq, tool, UUID(request), digest, tuple(depends_on))
        for number, seq, tool, request, digest, depends_on in facts["items"]
    ]
    return ApplyPlan(UUID(facts["run"]), {each.number: each for each in items})


def read_plan(run: UUID) -> ApplyPlan:
    """Return what a run is to carry out; raises NotFound for one that applies nothing."""
    with borrowed() as connection:
        row = connection.execute(_FIRST, (run,)).fetchone()
    if row is None or row[0] is None:
        raise NotFound("unknown_change_set", f"run {run} applies nothing")
    return plan_of(row[0])
