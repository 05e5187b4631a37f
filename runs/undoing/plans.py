"""What an undo is to do, as the first entry of its stream has it: one effect per step, the latest first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agentops.database import borrowed
from agentops.errors import NotFound
from tools.catalogue import read_spec

if TYPE_CHECKING:
    from runs.versions import VersionSpec

UNDO = "undo"  # in place of a model's name
_FIRST = "SELECT facts -> 'undoes' FROM ledger_entry WHERE stream = %s AND seq = 1"


@dataclass(frozen=True, slots=True)
class ToUndo:
    """An effect that is to be undone: the call that had it, the version of its tool, and of the one that undoes it."""

    run: UUID
    step: int
    call: int
    tool: str
    version: UUID
    by: UUID

    @property
    def place(self) -> tuple[int, int]:
        """Return step and call of the effect."""
        return self.step, self.call

    @property
    def key(self) -> str:
        """Return the idempotency key under which the effect was made."""
        return f"{self.run}:{self.step}:{self.tool}:{self.call}"


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """The effects that an undo takes on, in its order: that of its steps."""

    run: UUID
    effects: tuple[ToUndo, ...]

    def of_step(self, step: int) -> ToUndo | None:
        """Return what a step of the undo is about; None behind the last one."""
        return self.effects[step - 1] if 0 < step <= len(self.effects) else None

    def as_facts(self) -> dict[str, Any]:  # Any: JSON
        """Return the plan as the facts of an entry."""
        listed = [[e.step, e.call, e.tool, str(e.version), str(e.by)] for e in self.effects]
        return {"run": str(self.run), "effects": listed}

    def narrow(self, version: VersionSpec) -> VersionSpec:
        """Return the agent's version as it offers to an undo what undoes, and nothing else; no user is asked."""
        specs = [read_spec(found) for found in dict.fromkeys(each.by for each in self.effects)]
        return replace(
            version,
            plan="",
            may_ask_user=False,
            may_hand_over=False,
            memory="",
            catalogue={spec.name: spec for spec in specs},
        )


def plan_of(facts: dict[str, Any]) -> UndoPlan:
    """Return the plan that ``as_facts`` wrote."""
    run, listed = UUID(facts["run"]), facts["effects"]
    return UndoPlan(run, tuple(_read(run, each) for each in listed))


def _read(run: UUID, listed: Iterable[Any]) -> ToUndo:
    step, call, tool, version, by = listed
    return ToUndo(run, step, call, tool, UUID(version), UUID(by))


def read_plan(undo: UUID) -> UndoPlan:
    """Return what an undo is to do; raises NotFound for a run that undoes nothing."""
    with borrowed() as connection:
        row = connection.execute(_FIRST, (undo,)).fetchone()
    if row is None or row[0] is None:
        raise NotFound("unknown_undo", f"run {undo} undoes nothing")
    return plan_of(row[0])
