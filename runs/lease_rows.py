"""A run's lease, bell and snapshot: the statements by which drivers take a run, keep it and give it back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from agentops.errors import NotFound
from agentops.ledger.store import Cursor
from agentops.tracing import derive_span_id
from runs import turns_of_teams as turns
from runs.concerns import concerns
from runs.models import Priority

Drive = Literal["done", "failed", "uncounted"]
ENDED = "('completed', 'halted', 'failed', 'cancelled', 'expired')"

_CONTEXT = """
    r.id, r.team_id, r.identity_id, i.name, r.agent_version_id, r.principal_id, p.issuer, p.subject,
    r.application_id, r.started_by_id, r.trace_id, r.trace_flags, r.trace_state, r.proof, r.limits, r.line,
    r.credential_id, r.undoes_id, r.applies_id, r.delegated_call, r.priority, r.drives,
    r.fork_of_id, r.kind
"""
# Whoever takes the lease also takes the bell: a ring after this moment is seen before the lease is given back.
_LEASE = f"""
WITH {{whose}}, taken AS (
    UPDATE runs_run r SET lease_epoch = lease_epoch + 1, lease_owner = %(owner)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s), wake_at = NULL,
        drives = CASE WHEN r.steps > r.drives_step THEN 1 ELSE least(r.drives + 1, 30000) END, drives_step = r.steps
    FROM chosen WHERE r.id = chosen.id AND state NOT IN {ENDED}
        AND (lease_until IS NULL OR lease_until < clock_timestamp())
    RETURNING r.*
), before AS (SELECT r.id, greatest(r.wake_at, r.lease_until) AS due_at FROM runs_run r JOIN chosen USING (id))
SELECT r.lease_epoch, before.due_at, {_CONTEXT}
FROM taken r JOIN identities_agentidentity i ON i.id = r.identity_id
    JOIN identities_principal p ON p.id = r.principal_id JOIN before ON before.id = r.id
"""  # noqa: S608  constants only
_LEASE_OF_RUN = _LEASE.format(whose="chosen AS (SELECT %(run)s::uuid AS id)")
_LEASE_IN_TURN = _LEASE.format(whose=turns.CHOOSING)
_RING = f"""
UPDATE runs_run SET wake_at = clock_timestamp() WHERE id = %s AND state NOT IN {ENDED} RETURNING 1
"""  # noqa: S608  constants only
# A run that was given back while the heart beat is free: to renew its lease would keep everybody from it. That is
# asked of the row that is locked, which may be a later one than the statement saw when it began. One that somebody
# has locked is held as long as before: to wait for it could cost all others their leases.
_HEARTBEAT = """
WITH held AS (
    SELECT r.id, h.epoch FROM runs_run r
    JOIN unnest(%(runs)s::uuid[], %(epochs)s::int[]) AS h(run, epoch) ON r.id = h.run
    WHERE r.lease_epoch = h.epoch AND r.lease_until IS NOT NULL
), free AS (
    SELECT r.id FROM runs_run r JOIN held USING (id)
    WHERE r.lease_epoch = held.epoch AND r.lease_until IS NOT NULL
    ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
), renewed AS (
    UPDATE runs_run r SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s) FROM free
    WHERE r.id = free.id RETURNING r.id
)
SELECT held.id, renewed.id IS NOT NULL FROM held LEFT JOIN renewed USING (id)
"""
_RELEASE = """
WITH released AS (
    UPDATE runs_run SET lease_until = NULL, lease_owner = '', wake_at = %(wake_at)s, updated_at = clock_timestamp(),
        drives = CASE %(drive)s WHEN 'done' THEN 0 WHEN 'uncounted' THEN greatest(0, drives - 1) ELSE drives END
    WHERE id = %(run)s AND lease_epoch = %(epoch)s AND wake_at IS NULL RETURNING id
), kept AS (
    INSERT INTO runs_runsnapshot AS s (run_id, seq, engine, state)
    SELECT id, %(seq)s, %(engine)s, %(state)s::jsonb FROM released WHERE %(keep)s
    ON CONFLICT (run_id) DO UPDATE SET seq = excluded.seq, engine = excluded.engine, state = excluded.state
    WHERE s.seq < excluded.seq
)
SELECT count(*) FROM released
"""
_TAKE_BELL = "UPDATE runs_run SET wake_at = NULL WHERE id = %s AND lease_epoch = %s RETURNING 1"
_READ_CONTEXT = f"""
SELECT {_CONTEXT} FROM runs_run r JOIN identities_agentidentity i ON i.id = r.identity_id
    JOIN identities_principal p ON p.id = r.principal_id WHERE r.id = %s
"""  # noqa: S608  constants only
_SNAPSHOT = "SELECT seq, state::text FROM runs_runsnapshot WHERE run_id = %s AND engine = %s"
# A decision whose message was lost: the run still waits for a request that waits no more.
_DECIDED = """
SELECT r.id FROM runs_run r, jsonb_array_elements(r.required_actions) AS action
JOIN approvals_approvalrequest a ON a.id = (action ->> 'id')::uuid
WHERE r.state = 'requires_action' AND r.lease_until IS NULL AND action ->> 'type' = 'approval' AND a.state <> 'waiting'
LIMIT %s
"""
# Likewise of an end user.
_ANSWERED = """
SELECT r.id FROM runs_run r, jsonb_array_elements(r.required_actions) AS action
JOIN approvals_confirmation c ON c.id = (action ->> 'id')::uuid
WHERE r.state = 'requires_action' AND r.lease_until IS NULL AND action ->> 'type' = 'confirmation'
    AND c.state <> 'waiting' LIMIT %s
"""
# A run that rests while one that it acts for has ended: it has to end, too.
_ORPHANED = """
SELECT r.id FROM runs_run r JOIN runs_run p ON p.id = r.parent_id
WHERE r.parent_id IS NOT NULL AND r.ended_at IS NULL AND r.lease_until IS NULL AND p.ended_at IS NOT NULL
LIMIT %s
"""
# A run that rests while a child has ended that one of its calls waits for.
_CHILD_ENDED = """
SELECT p.id FROM runs_run p JOIN runs_run c ON c.parent_id = p.id
JOIN runs_tool_call t ON t.run_id = p.id AND t.step = c.delegated_step AND t.number = c.delegated_call
WHERE p.ended_at IS NULL AND p.lease_until IS NULL AND c.parent_id IS NOT NULL AND c.delegated_call IS NOT NULL
    AND c.ended_at IS NOT NULL AND t.state = 'delegated' LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What stays the same over a run."""

    run_id: UUID
    team_id: UUID
    identity_id: UUID
    identity_name: str
    agent_version_id: UUID
    principal_id: UUID
    issuer: str
    subject: str
    application_id: UUID | None
    started_by_id: UUID | None
    trace_id: str
    trace_flags: str
    trace_state: str
    proof: str = ""
    limits: Any = None  # Any: JSON
    line: Any = ()  # Any: JSON
    credential_id: UUID | None = None
    undoes_id: UUID | None = None
    applies_id: UUID | None = None
    delegated_call: int | None = None  # of a child: by which call of its parent it was started
    priority: int = Priority.NORMAL
    drives: int = 0  # this drive included: how many in a row have come to nothing
    fork_of_id: UUID | None = None
    kind: str = "task"

    def traceparent_of(self, *place: object) -> str:
        """Return a W3C traceparent with the span of a place in the run, under the flags that its caller chose."""
        return f"00-{self.trace_id}-{derive_span_id(self.run_id, *place)}-{self.trace_flags}"


def take_lease(
    cursor: Cursor, run: UUID, *, owner: str, lease_s: float
) -> tuple[int, datetime | None, RunContext] | None:
    """Take a run that is free or whose lease ran out, by the database's clock.

    Return the new epoch, when the run was due, and its context; None when somebody drives it, or it has ended.
    """
    cursor.execute(_LEASE_OF_RUN, {"run": run, "owner": owner, "lease_s": lease_s})
    return _read_taken(cursor)


def take_lease_in_turn(
    cursor: Cursor, run: UUID, *, owner: str, lease_s: float
) -> tuple[int, datetime | None, RunContext] | None:
    """Take the run of the same priority whose turn it is, whichever that is; the one named if it only rests.

    Return what ``take_lease`` returns; None when nothing of that priority is due.
    """
    cursor.execute(_LEASE_IN_TURN, {"run": run, "owner": owner, "lease_s": lease_s})
    return _read_taken(cursor)


def _read_taken(cursor: Cursor) -> tuple[int, datetime | None, RunContext] | None:
    row = cursor.fetchone()
    return None if row is None else (row[0], row[1], RunContext(*row[2:]))


def read_context(cursor: Cursor, run: UUID) -> RunContext:
    """Return what stays the same over a run, without taking it; raises NotFound."""
    cursor.execute(_READ_CONTEXT, (run,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("unknown_run", f"there is no run {run}")
    return RunContext(*row)


def ring(cursor: Cursor, run: UUID) -> bool:
    """Tell whoever drives the run that something happened, or make it due; False when it has ended."""
    cursor.execute(_RING, (run,))
    return cursor.fetchone() is not None


def allow_one_drive(cursor: Cursor, run: UUID, tries: int) -> None:
    """Let a run that is parked be driven once more, for a person has said what becomes of it."""
    cursor.execute("UPDATE runs_run SET drives = least(drives, %s) WHERE id = %s", (tries - 1, run))


def ring_all(cursor: Cursor, scope: str, target: str) -> list[UUID]:
    """Ring every run that is going and that a stop of this scope concerns; return them, the oldest first.

    They are locked in the order of their ids, as by whoever else locks many: none waits for another in a circle.
    """
    concerned = concerns(scope, run="r", target="%(target)s")
    cursor.execute(
        f"WITH going AS (SELECT r.id FROM runs_run r WHERE {concerned} AND r.ended_at IS NULL"  # noqa: S608  constants
        " ORDER BY r.id FOR NO KEY UPDATE)"
        " UPDATE runs_run r SET wake_at = clock_timestamp() FROM going WHERE r.id = going.id RETURNING r.id",
        {"target": target},
    )
    return sorted(row[0] for row in cursor.fetchall())


def take_bell(cursor: Cursor, run: UUID, epoch: int) -> bool:
    """Answer a ring; False when the lease is lost."""
    cursor.execute(_TAKE_BELL, (run, epoch))
    return cursor.fetchone() is not None


def renew_leases(cursor: Cursor, held: Sequence[tuple[UUID, int]], lease_s: float) -> dict[UUID, bool]:
    """Renew leases by (run, epoch); return the runs that are still held, and whether each was renewed."""
    runs, epochs = [run for run, _ in held], [epoch for _, epoch in held]
    cursor.execute(_HEARTBEAT, {"runs": runs, "epochs": epochs, "lease_s": lease_s})
    return dict(cursor.fetchall())


def release_lease(
    cursor: Cursor,
    run: UUID,
    epoch: int,
    *,
    wake_at: datetime | None,
    seq: int,
    engine: int,
    state: str,
    keep: bool,
    drive: Drive = "done",
) -> bool:
    """Give the run back, with a snapshot to start from; False when it was rung meanwhile, or the lease is lost.

    ``drive``: whether it is over, has failed through a fault of ours, or through one that is nobody's.
    """
    values = {
        "run": run,
        "epoch": epoch,
        "wake_at": wake_at,
        "seq": seq,
        "engine": engine,
        "state": state,
        "keep": keep,
        "drive": drive,
    }
    cursor.execute(_RELEASE, values)
    return bool(cursor.fetchone()[0])


def read_snapshot(cursor: Cursor, run: UUID, engine: int) -> tuple[int, dict[str, Any]] | None:
    """Return the snapshot that this engine version can read."""
    cursor.execute(_SNAPSHOT, (run, engine))
    row = cursor.fetchone()
    return None if row is None else (row[0], json.loads(row[1]))


def find_due(cursor: Cursor, limit: int) -> list[UUID]:
    """Return the runs that somebody should drive: due, abandoned, or decided without being told."""
    due = turns.find_due(cursor, limit)
    for statement in (_DECIDED, _ANSWERED, _ORPHANED, _CHILD_ENDED):
        cursor.execute(statement, (limit,))
        due += [row[0] for row in cursor.fetchall()]
    return list(dict.fromkeys(due))
