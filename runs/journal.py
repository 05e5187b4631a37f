"""The journal: every statement by which a driver writes. Nothing else in this project writes on the hot path.

An append is one statement: fence on the lease, move the stream's head, add the entries, move the projections.
Every branch selects from the fence and the head, so a driver that lost its lease, or whose idea of the
stream is old, writes nothing at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from agentops.ledger.entries import Draft, Head, SealedEntry, seal
from agentops.ledger.store import Cursor, entry_columns, head_parameters, new_salt
from runs.projection import CallRow, EffectEnd, EffectStart, Projection, StepRow

Appended = Literal["appended", "lease_lost", "head_moved"]

ENDED = "('completed', 'halted', 'failed', 'cancelled', 'expired')"

_APPEND = """
WITH fence AS (
    SELECT id FROM runs_run WHERE id = %(stream)s AND lease_epoch = %(epoch)s FOR NO KEY UPDATE
), head AS (
    UPDATE ledger_stream s SET head_seq = %(to_seq)s, head_hash = %(to_hash)s FROM fence
    WHERE s.id = fence.id AND s.head_seq = %(from_seq)s AND s.head_hash = %(from_hash)s RETURNING s.id
), entries AS (
    INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
    SELECT head.id, e.* FROM head, unnest(
        %(seq)s::int[], %(kind)s::text[], %(facts)s::jsonb[], %(content)s::text[], %(salt)s::bytea[],
        %(content_digest)s::bytea[], %(prev_hash)s::bytea[], %(hash)s::bytea[], %(at)s::timestamptz[],
        %(actor)s::uuid[]) AS e
), run AS (
    UPDATE runs_run r SET state = %(run_state)s, status_reason = %(run_reason)s,
        required_actions = %(run_actions)s::jsonb, steps = %(run_steps)s, tool_calls = r.tool_calls + %(run_calls)s,
        tokens = %(run_tokens)s, usd = %(run_usd)s, worked_ms = %(run_worked_ms)s, updated_at = %(run_now)s,
        ended_at = %(run_ended_at)s::timestamptz
    FROM head WHERE r.id = head.id
), steps AS (
    INSERT INTO runs_step AS s (run_id, number, state, model, price_version, attempts, asked_at, decided_at,
        input_tokens, cached_tokens, output_tokens, usd, estimated, code, decided_seq)
    SELECT head.id, n.number, n.state, coalesce(n.model, ''), coalesce(n.price_version, ''), coalesce(n.attempts, 1),
        coalesce(n.asked_at, %(run_now)s), n.decided_at, coalesce(n.input_tokens, 0), coalesce(n.cached_tokens, 0),
        coalesce(n.output_tokens, 0), coalesce(n.usd, 0), coalesce(n.estimated, false), coalesce(n.code, ''),
        n.decided_seq
    FROM head, unnest(%(s_number)s::int[], %(s_state)s::text[], %(s_model)s::text[], %(s_price_version)s::text[],
        %(s_attempts)s::int[], %(s_asked_at)s::timestamptz[], %(s_decided_at)s::timestamptz[],
        %(s_input_tokens)s::int[], %(s_cached_tokens)s::int[], %(s_output_tokens)s::int[], %(s_usd)s::numeric[],
        %(s_estimated)s::bool[], %(s_code)s::text[], %(s_decided_seq)s::int[])
        AS n(number, state, model, price_version, attempts, asked_at, decided_at, input_tokens, cached_tokens,
             output_tokens, usd, estimated, code, decided_seq)
    ON CONFLICT (run_id, number) DO UPDATE SET state = excluded.state,
        attempts = greatest(s.attempts, excluded.attempts), decided_at = coalesce(excluded.decided_at, s.decided_at),
        input_tokens = s.input_tokens + excluded.input_tokens,
        cached_tokens = s.cached_tokens + excluded.cached_tokens,
        output_tokens = s.output_tokens + excluded.output_tokens, usd = s.usd + excluded.usd,
        estimated = s.estimated OR excluded.estimated, code = excluded.code,
        decided_seq = coalesce(excluded.decided_seq, s.decided_seq)
), calls AS (
    INSERT INTO runs_tool_call AS c (run_id, step, number, tool_name, tool_version_id, effect, state, decision,
        reasons, approval_id, args_digest, attempts, code, proposed_at, started_at, ended_at, latency_ms,
        decided_seq, outcome_seq)
    SELECT head.id, n.step, n.number, coalesce(n.tool_name, ''), n.tool_version_id, coalesce(n.effect, ''), n.state,
        coalesce(n.decision, ''), coalesce(n.reasons, '[]'), n.approval_id, coalesce(n.args_digest, ''),
        coalesce(n.attempts, 0), coalesce(n.code, ''), coalesce(n.proposed_at, %(run_now)s), n.started_at, n.ended_at,
        n.latency_ms, n.decided_seq, n.outcome_seq
    FROM head, unnest(%(c_step)s::int[], %(c_number)s::int[], %(c_tool_name)s::text[], %(c_tool_version_id)s::uuid[],
        %(c_effect)s::text[], %(c_state)s::text[], %(c_decision)s::text[], %(c_reasons)s::jsonb[],
        %(c_approval_id)s::uuid[], %(c_args_digest)s::text[], %(c_attempts)s::int[], %(c_code)s::text[],
        %(c_proposed_at)s::timestamptz[], %(c_started_at)s::timestamptz[], %(c_ended_at)s::timestamptz[],
        %(c_latency_ms)s::int[], %(c_decided_seq)s::int[], %(c_outcome_seq)s::int[])
        AS n(step, number, tool_name, tool_version_id, effect, state, decision, reasons, approval_id, args_digest,
             attempts, code, proposed_at, started_at, ended_at, latency_ms, decided_seq, outcome_seq)
    ON CONFLICT (run_id, step, number) DO UPDATE SET state = excluded.state,
        tool_version_id = coalesce(excluded.tool_version_id, c.tool_version_id),
        effect = coalesce(nullif(excluded.effect, ''), c.effect),
        decision = coalesce(nullif(excluded.decision, ''), c.decision),
        reasons = CASE WHEN excluded.reasons = '[]' THEN c.reasons ELSE excluded.reasons END,
        approval_id = coalesce(excluded.approval_id, c.approval_id),
        attempts = greatest(excluded.attempts, c.attempts), code = coalesce(nullif(excluded.code, ''), c.code),
        started_at = coalesce(c.started_at, excluded.started_at), ended_at = coalesce(excluded.ended_at, c.ended_at),
        latency_ms = coalesce(excluded.latency_ms, c.latency_ms),
        outcome_seq = coalesce(excluded.outcome_seq, c.outcome_seq)
), starts AS (
    INSERT INTO tools_effectrecord AS f (key, identity_id, tool_version_id, args_digest, dedupe_digest, state,
        stream_id, started_at)
    SELECT n.key, %(identity)s, n.tool_version_id, n.args_digest, n.dedupe_digest, 'started', head.id, n.started_at
    FROM head, unnest(%(f_key)s::text[], %(f_args_digest)s::text[], %(f_dedupe_digest)s::text[],
        %(f_tool_version_id)s::uuid[], %(f_started_at)s::timestamptz[])
        AS n(key, args_digest, dedupe_digest, tool_version_id, started_at)
    ON CONFLICT (key) DO UPDATE SET state = 'started' WHERE f.args_digest = excluded.args_digest
), ends AS (
    UPDATE tools_effectrecord f SET state = n.state, outcome_seq = n.outcome_seq, ended_at = n.ended_at
    FROM head, unnest(%(g_key)s::text[], %(g_state)s::text[], %(g_outcome_seq)s::int[], %(g_ended_at)s::timestamptz[])
        AS n(key, state, outcome_seq, ended_at) WHERE f.key = n.key
)
SELECT (SELECT count(*) FROM fence), (SELECT count(*) FROM head)
"""

_CONTEXT = """
    r.id, r.team_id, r.identity_id, i.name, r.agent_version_id, r.principal_id, p.issuer, p.subject,
    r.application_id, r.started_by_id, r.trace_id
"""
# Whoever takes the lease also takes the bell: a ring after this moment is seen before the lease is given back.
_LEASE = f"""
WITH taken AS (
    UPDATE runs_run SET lease_epoch = lease_epoch + 1, lease_owner = %(owner)s,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s), wake_at = NULL
    WHERE id = %(run)s AND state NOT IN {ENDED} AND (lease_until IS NULL OR lease_until < clock_timestamp())
    RETURNING *
), before AS (SELECT wake_at FROM runs_run WHERE id = %(run)s)
SELECT r.lease_epoch, before.wake_at, {_CONTEXT}
FROM taken r JOIN identities_agentidentity i ON i.id = r.identity_id JOIN identities_principal p ON p.id = r.principal_id,
    before
"""  # noqa: S608  constants only
_RING = f"""
UPDATE runs_run SET wake_at = clock_timestamp() WHERE id = %s AND state NOT IN {ENDED} RETURNING 1
"""  # noqa: S608
_HEARTBEAT = """
UPDATE runs_run r SET lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
FROM unnest(%(runs)s::uuid[], %(epochs)s::int[]) AS held(run, epoch)
WHERE r.id = held.run AND r.lease_epoch = held.epoch RETURNING r.id
"""
_RELEASE = """
WITH released AS (
    UPDATE runs_run SET lease_until = NULL, lease_owner = '', wake_at = %(wake_at)s, updated_at = clock_timestamp()
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
_SNAPSHOT = "SELECT seq, state FROM runs_runsnapshot WHERE run_id = %s AND engine = %s"
_DUE = f"""
SELECT id FROM runs_run
WHERE state NOT IN {ENDED} AND coalesce(lease_until, wake_at) <= clock_timestamp()
ORDER BY coalesce(lease_until, wake_at) LIMIT %s
"""  # noqa: S608
# A decision whose message was lost: the run still waits for a request that waits no more.
_DECIDED = """
SELECT r.id FROM runs_run r, jsonb_array_elements(r.required_actions) AS action
JOIN approvals_approvalrequest a ON a.id = (action ->> 'id')::uuid
WHERE r.state = 'requires_action' AND r.lease_until IS NULL AND action ->> 'type' = 'approval' AND a.state <> 'waiting'
LIMIT %s
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


@dataclass(frozen=True, slots=True)
class RunRow:
    """The run's own columns after an append."""

    state: str
    reason: str
    actions: list[dict[str, Any]]
    steps: int
    calls: int
    tokens: int
    usd: Any  # Decimal
    worked_ms: int
    now: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Write:
    """One append: entries sealed behind a head, and what they change."""

    run: UUID
    identity: UUID
    epoch: int
    before: Head
    after: Head
    entries: Sequence[SealedEntry]
    row: RunRow
    projection: Projection


def seal_drafts(run: UUID, head: Head, drafts: Iterable[Draft]) -> tuple[list[SealedEntry], Head]:
    """Chain drafts behind a head."""
    return seal(run, head, drafts, new_salt)


def append(cursor: Cursor, write: Write) -> Appended:
    """Append in one statement; say why when nothing was written."""
    cursor.execute(_APPEND, _parameters(write))
    fenced, moved = cursor.fetchone()
    if not fenced:
        return "lease_lost"
    return "appended" if moved else "head_moved"


def _parameters(write: Write) -> dict[str, Any]:
    row, projection = write.row, write.projection
    return {
        **head_parameters(write.run, write.before, write.after),
        **entry_columns(write.entries),
        "epoch": write.epoch,
        "identity": write.identity,
        "run_state": row.state,
        "run_reason": row.reason,
        "run_actions": json.dumps(row.actions),
        "run_steps": row.steps,
        "run_calls": row.calls,
        "run_tokens": row.tokens,
        "run_usd": row.usd,
        "run_worked_ms": row.worked_ms,
        "run_now": row.now,
        "run_ended_at": row.ended_at,
        **_columns("s", StepRow, projection.steps.values()),
        **_columns("c", CallRow, projection.calls.values()),
        **_columns("f", EffectStart, projection.starts.values()),
        **_columns("g", EffectEnd, projection.ends.values()),
    }


_NAMES: dict[type, list[str]] = {
    kind: [field.name for field in fields(kind)] for kind in (StepRow, CallRow, EffectStart, EffectEnd)
}


def _columns(prefix: str, kind: type, rows: Iterable[Any]) -> dict[str, list[Any]]:
    listed = list(rows)
    return {f"{prefix}_{name}": [getattr(row, name) for row in listed] for name in _NAMES[kind]}


def take_lease(
    cursor: Cursor, run: UUID, *, owner: str, lease_s: float
) -> tuple[int, datetime | None, RunContext] | None:
    """Take a run that is free or whose lease ran out, by the database's clock.

    Return the new epoch, when the run was due, and its context; None when somebody drives it, or it has ended.
    """
    cursor.execute(_LEASE, {"run": run, "owner": owner, "lease_s": lease_s})
    row = cursor.fetchone()
    return None if row is None else (row[0], row[1], RunContext(*row[2:]))


def ring(cursor: Cursor, run: UUID) -> bool:
    """Tell whoever drives the run that something happened, or make it due; False when it has ended."""
    cursor.execute(_RING, (run,))
    return cursor.fetchone() is not None


def take_bell(cursor: Cursor, run: UUID, epoch: int) -> bool:
    """Answer a ring; False when the lease is lost."""
    cursor.execute(_TAKE_BELL, (run, epoch))
    return cursor.fetchone() is not None


def renew_leases(cursor: Cursor, held: Sequence[tuple[UUID, int]], lease_s: float) -> set[UUID]:
    """Renew leases by (run, epoch); return the runs that are still held."""
    runs, epochs = [run for run, _ in held], [epoch for _, epoch in held]
    cursor.execute(_HEARTBEAT, {"runs": runs, "epochs": epochs, "lease_s": lease_s})
    return {row[0] for row in cursor.fetchall()}


def release_lease(
    cursor: Cursor, run: UUID, epoch: int, *, wake_at: datetime | None, seq: int, engine: int, state: str, keep: bool
) -> bool:
    """Give the run back, with a snapshot to start from; False when it was rung meanwhile, or the lease is lost."""
    values = {"run": run, "epoch": epoch, "wake_at": wake_at, "seq": seq, "engine": engine, "state": state, "keep": keep}
    cursor.execute(_RELEASE, values)
    return bool(cursor.fetchone()[0])


def read_snapshot(cursor: Cursor, run: UUID, engine: int) -> tuple[int, dict[str, Any]] | None:
    """Return the snapshot that this engine version can read."""
    cursor.execute(_SNAPSHOT, (run, engine))
    row = cursor.fetchone()
    return None if row is None else (row[0], row[1])


def find_due(cursor: Cursor, limit: int) -> list[UUID]:
    """Return the runs that somebody should drive: due, abandoned, or decided without being told."""
    cursor.execute(_DUE, (limit,))
    due = [row[0] for row in cursor.fetchall()]
    cursor.execute(_DECIDED, (limit,))
    return list(dict.fromkeys([*due, *(row[0] for row in cursor.fetchall())]))
