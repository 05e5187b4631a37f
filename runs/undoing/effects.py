"""What a run has done to the world, and what was done so far to undo it: as the records of effects have it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from agentops.ledger.store import Cursor, read_contents
from runs.lookups.resolving import read_resolved
from tools.calls import ToolSpec
from tools.catalogue import read_spec

# The record of an effect outlives refusals and retries: it alone knows whether there may have been one.
_RECORD = (
    """tools_effectrecord f ON f.key = c.run_id || ':' || c.step || ':' || c.tool_name || ':' || c.number"""
)
_EFFECTS = f"""
SELECT c.run_id, c.step, c.number, c.tool_name, c.tool_version_id, c.decided_seq, c.outcome_seq, f.state
FROM runs_tool_call c JOIN {_RECORD}
WHERE c.run_id = %s AND f.state <> 'failed'
"""  # noqa: S608  constants only
_LATEST_FIRST = f"{_EFFECTS} ORDER BY c.started_at DESC NULLS LAST, c.step DESC, c.number DESC"
_ONE = f"{_EFFECTS} AND c.step = %s AND c.number = %s"
# What each undo has on its list, and the call by which it was undone, where it came to that. An undo that is just
# ending has ended as far as its own last words are concerned.
_TRIED = f"""
SELECT r.id, r.ended_at IS NULL AND r.id IS DISTINCT FROM %s, (e.effect ->> 0)::int, (e.effect ->> 1)::int,
    c.tool_name, c.state, c.code, c.reasons, f.state
FROM runs_run r
JOIN ledger_entry first ON first.stream = r.id AND first.seq = 1
CROSS JOIN LATERAL jsonb_array_elements(first.facts #> '{{undoes,effects}}') WITH ORDINALITY AS e(effect, step)
LEFT JOIN runs_tool_call c ON c.run_id = r.id AND c.step = e.step
LEFT JOIN {_RECORD}
WHERE r.undoes_id = %s ORDER BY r.id, e.step
"""  # noqa: S608  constants only
# What came of the tasks that a run gave to other agents, and of those that these gave away.
_PASSED_ON = """
WITH RECURSIVE tree AS (
    SELECT id, delegated_step AS step, delegated_call AS call FROM runs_run
    WHERE parent_id = %s AND delegated_call IS NOT NULL
    UNION ALL SELECT r.id, tree.step, tree.call FROM runs_run r JOIN tree ON r.parent_id = tree.id
)
SELECT tree.step, tree.call, c.tool_name, count(*), array_agg(DISTINCT tree.id)
FROM tree JOIN tools_effectrecord f ON f.stream_id = tree.id AND f.state <> 'failed'
JOIN runs_tool_call c ON c.run_id = %s AND c.step = tree.step AND c.number = tree.call
GROUP BY 1, 2, 3 ORDER BY 1 DESC, 2 DESC
"""
SETTLED = ("failed", "refused", "parked", "succeeded")
UNDECIDED = "the undo ended before somebody had decided"
UNFINISHED = "the undo ended before that went out"
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
class PassedOn:
    """A call that gave another agent a task of which effects came, and the runs that made them."""

    step: int
    call: int
    tool: str
    effects: int
    runs: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is recorded of a call: None for what was erased, or never there."""

    arguments: dict[str, Any] | None  # Any: JSON
    result: Any  # as above


def read_effects(cursor: Cursor, run: UUID) -> list[Effect]:
    """Return what a run has done, or may have done, the latest first."""
    return [_effect(*row) for row in cursor.execute(_LATEST_FIRST, (run,)).fetchall()]


def read_effect(cursor: Cursor, run: UUID, place: Place) -> Effect | None:
    """Return the effect of one call of a run, None where it had none."""
    row = cursor.execute(_ONE, (run, *place)).fetchone()
    return _effect(*row) if row else None


def _effect(
    run: UUID, step: int, call: int, tool: str, version: UUID, decided: int, outcome: int | None, state: str
) -> Effect:
    return Effect(run, step, call, tool, version, decided, outcome, is_sure=state == "succeeded")


def read_passed_on(cursor: Cursor, run: UUID) -> list[PassedOn]:
    """Return the tasks that a run gave away and of which effects came, the latest first."""
    return [PassedOn(*row) for row in cursor.execute(_PASSED_ON, (run, run)).fetchall()]


def read_tried(cursor: Cursor, run: UUID, *, ending: UUID | None = None) -> dict[Place, Tried]:
    """Return what the undos of a run did about its effects, by step and call; what one has done is done.

    ``ending`` is the undo that is about to end: what it has not done it will not do any more.
    """
    tried: dict[Place, Tried] = {}
    for undo, is_open, step, call, *made in cursor.execute(_TRIED, (ending, run)).fetchall():
        found, place = _judge(undo, is_open, *made), (step, call)
        if found and (place not in tried or tried[place].word not in ("done", "unsure")):
            tried[place] = found
    return tried


def _judge(
    undo: UUID,
    is_open: bool,
    tool: str | None,
    state: str | None,
    code: str | None,
    reasons: Any,
    effect: str | None,
) -> Tried | None:
    """Return what became of an item of an undo's list; None for one that it never came to."""
    if effect == "succeeded":
        return Tried(undo, is_open, tool or "", "done")
    if is_open and state not in SETTLED:
        return Tried(undo, is_open, tool or "", "planned")
    if state is None:
        return None
    if effect in ("started", "unknown"):
        return Tried(undo, is_open, tool or "", "unsure")
    return Tried(undo, is_open, tool or "", "not", _why(code or "", state, reasons))


def _why(code: str, state: str, reasons: Any) -> str:  # Any: JSON
    if state not in SETTLED:
        return UNDECIDED if state == "waiting" else UNFINISHED
    told = json.loads(reasons) if isinstance(reasons, str) else reasons or ()
    # Of what people refused, and of what failed, the reasons are still those for which it might go on.
    details = [each["detail"] for each in told if each["code"] == code and each["detail"]]
    return str(details[-1] if details else (code or state).replace("_", " "))


def read_recorded(
    cursor: Cursor, effects: Sequence[Effect], specs: Mapping[UUID, ToolSpec]
) -> dict[Place, Recorded]:
    """Return what is recorded of the calls of one run; raises ValueError for a record that cannot be read.

    ``specs`` are the versions of their tools, by id: to read them takes a connection of its own.
    """
    if not effects:
        return {}
    seqs = sorted({seq for each in effects for seq in (each.decided_seq, each.outcome_seq) if seq})
    contents = read_contents(cursor, effects[0].run, seqs)
    return {each.place: _recorded(cursor, each, specs[each.version], contents) for each in effects}


def _recorded(cursor: Cursor, effect: Effect, spec: ToolSpec, contents: dict[int, Any]) -> Recorded:
    decided, outcome = contents.get(effect.decided_seq) or {}, contents.get(effect.outcome_seq or 0) or {}
    calls: list[dict[str, Any]] = decided.get("calls", [])  # Any: JSON
    proposed = next((call for call in calls if call["call"] == effect.call), {})
    arguments = proposed.get("arguments")
    if arguments is not None and spec.resolvers:  # what was said was not what went out
        between = effect.decided_seq, effect.outcome_seq or 2**31 - 1
        arguments = read_resolved(cursor, effect.run, between, effect.call, arguments)
    return Recorded(arguments, outcome.get("value"))


def read_specs(versions: Iterable[UUID]) -> dict[UUID, ToolSpec]:
    """Return versions of tools by id; a caller who holds a connection could wait here for another one."""
    return {version: read_spec(version) for version in set(versions)}
