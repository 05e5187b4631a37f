"""What a run has done to the world, and what was done so far to undo it: as the records of effects have it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from agentops.ledger.store import Cursor, read_contents
from runs.lookups.resolving import read_resolved
from tools.catalogue import read_spec

# The record of an effect outlives refusals and retries: it alone knows whether there may have been one.
_EFFECTS = """
SELECT c.run_id, c.step, c.number, c.tool_name, c.tool_version_id, c.decided_seq, c.outcome_seq, f.state
FROM runs_tool_call c
JOIN tools_effectrecord f ON f.key = c.run_id || ':' || c.step || ':' || c.tool_name || ':' || c.number
WHERE c.run_id = %s AND f.state <> 'failed'
ORDER BY c.started_at DESC NULLS LAST, c.step DESC, c.number DESC
"""
_TRIED = """
SELECT r.id, r.ended_at IS NULL, first.facts -> 'undoes' -> 'effects', c.step, c.tool_name, c.state, c.code, c.reasons,
    f.state
FROM runs_run r
JOIN ledger_entry first ON first.stream = r.id AND first.seq = 1
LEFT JOIN runs_tool_call c ON c.run_id = r.id
LEFT JOIN tools_effectrecord f ON f.key = c.run_id || ':' || c.step || ':' || c.tool_name || ':' || c.number
WHERE r.undoes_id = %s ORDER BY r.id, c.step
"""
Place = tuple[int, int]  # step and call


@dataclass(frozen=True, slots=True)
class Effect:
    """A call of a run that changed something; ``is_sure`` unless nobody knows whether it did."""

    run: UUID
    step: int
    call: int
    tool: str
    version: UUID
    decided_seq: int
    outcome_seq: int | None
    is_sure: bool

    @property
    def place(self) -> Place:
        return self.step, self.call

    @property
    def key(self) -> str:
        """Return the idempotency key under which the effect was made."""
        return f"{self.run}:{self.step}:{self.tool}:{self.call}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What an undo did about an effect. ``word``: planned (not yet), done, unsure, or not (and ``why``)."""

    undo: UUID
    is_open: bool
    tool: str
    word: Literal["planned", "done", "unsure", "not"]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of a call: None for what was erased, or never there."""

    arguments: dict[str, Any] | None  # Any: JSON
    result: Any  # as above


def read_effects(cursor: Cursor, run: UUID) -> list[Effect]:
    """Return what a run has done, or may have done, the latest first."""
    cursor.execute(_EFFECTS, (run,))
    return [
        Effect(of, step, call, tool, version, decided, outcome, is_sure=state == "succeeded")
        for of, step, call, tool, version, decided, outcome, state in cursor.fetchall()
    ]


def read_tried(cursor: Cursor, run: UUID) -> dict[Place, Tried]:
    """Return what the undos of a run did about its effects, by step and call; what one has done is done."""
    cursor.execute(_TRIED, (run,))
    tried: dict[Place, Tried] = {}
    undos: dict[tuple[UUID, bool], tuple[list[Any], dict[int, Sequence[Any]]]] = {}
    for undo, is_open, effects, step, *call in cursor.fetchall():
        undos.setdefault((undo, is_open), (_as_list(effects), {}))[1][step] = call
    for (undo, is_open), (effects, calls) in undos.items():
        for place, found in _heed(undo, is_open, effects, calls):
            if place not in tried or tried[place].word not in ("done", "unsure"):
                tried[place] = found
    return tried


def _as_list(value: Any) -> list[Any]:  # Any: JSON, or its text
    return list(json.loads(value) if isinstance(value, str) else value or ())


def _heed(
    undo: UUID, is_open: bool, effects: list[Any], calls: dict[int, Sequence[Any]]
) -> Iterable[tuple[Place, Tried]]:
    for step, (of_step, of_call, *_) in enumerate(effects, start=1):
        if step in calls:
            yield (of_step, of_call), _judge(undo, is_open, *calls[step])
        elif is_open:
            yield (of_step, of_call), Tried(undo, is_open, "", "planned")


def _judge(
    undo: UUID, is_open: bool, tool: str, state: str, code: str, reasons: Any, effect: str | None
) -> Tried:
    if effect == "succeeded":
        return Tried(undo, is_open, tool, "done")
    if is_open and state not in ("failed", "refused", "parked", "succeeded"):
        return Tried(undo, is_open, tool, "planned")
    if effect in ("started", "unknown"):
        return Tried(undo, is_open, tool, "unsure")
    return Tried(undo, is_open, tool, "not", _why(code, state, reasons))


def _why(code: str, state: str, reasons: Any) -> str:  # Any: JSON
    told = _as_list(reasons)
    detail = str(told[-1].get("detail") or "") if told else ""
    return detail or (code or state).replace("_", " ")


def read_recorded(cursor: Cursor, effects: Sequence[Effect]) -> dict[Place, Recorded]:
    """Return what is recorded of the calls of one run; raises ValueError for a record that cannot be read."""
    if not effects:
        return {}
    seqs = sorted({seq for each in effects for seq in (each.decided_seq, each.outcome_seq) if seq})
    contents = read_contents(cursor, effects[0].run, seqs)
    return {each.place: _recorded(cursor, each, contents) for each in effects}


def _recorded(cursor: Cursor, effect: Effect, contents: dict[int, Any]) -> Recorded:
    decided, outcome = contents.get(effect.decided_seq) or {}, contents.get(effect.outcome_seq or 0) or {}
    calls: list[dict[str, Any]] = decided.get("calls", [])  # Any: JSON
    proposed = next((call for call in calls if call["call"] == effect.call), {})
    arguments = proposed.get("arguments")
    if arguments is not None and read_spec(effect.version).resolvers:  # what was said was not what went out
        between = effect.decided_seq, effect.outcome_seq or 2**31 - 1
        arguments = read_resolved(cursor, effect.run, between, effect.call, arguments)
    return Recorded(arguments, outcome.get("value"))
