"""Filling the tables, so that a benchmark can tell whether a step gets dearer in a large installation."""

from __future__ import annotations

import time
from typing import Any

from django.db import connection
from django.db.models import Model

from approvals.models import ApprovalRequest
from identities.models import AgentIdentity
from runs.models import Run, Step, ToolCall

STEPS_PER_RUN = 10
ENTRIES_PER_STEP = 5

# The same ids in every statement: the application's role may not create a table, not even a temporary one. Each sort
# has a mark of its own, so that those of one moment do not meet.
_SEEDED = """(SELECT (lpad(to_hex(%(milliseconds)s::bigint - n), 12, '0') || %(mark)s
    || substr(md5(n::text), 1, 16))::uuid AS id FROM generate_series(1, %(runs)s) AS n) AS seeded"""

_RUNS = """
INSERT INTO runs_run (id, team_id, identity_id, agent_version_id, principal_id, application_id, state, status_reason,
    required_actions, trace_id, created_at, updated_at, ended_at, expires_at, lease_epoch, lease_owner, max_steps,
    max_tokens, max_usd, max_seconds, steps, tool_calls, tokens, usd, worked_ms)
SELECT seeded.id, r.team_id, r.identity_id, r.agent_version_id, r.principal_id, r.application_id, 'completed', '', '[]',
    r.trace_id, r.created_at, r.created_at, r.created_at, r.expires_at, 1, '', r.max_steps, r.max_tokens, r.max_usd,
    r.max_seconds, 10, 10, 1200, 0.001, 100
FROM runs_run r, {seeded} WHERE r.id = %(template)s
"""
_STATEMENTS = (
    """INSERT INTO ledger_stream (id, kind, head_seq, head_hash)
        SELECT seeded.id, 'run', 50, sha256(seeded.id::text::bytea) FROM {seeded}""",
    """INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at)
        SELECT seeded.id, seq, 'step.decided', '{{"step": 1, "call": 1}}', repeat('x', 300), '\\x00', '\\x00',
            '\\x00', '\\x00', now()
        FROM {seeded}, generate_series(1, %(entries)s) AS seq""",
    """INSERT INTO runs_step (run_id, number, state, model, price_version, attempts, asked_at, decided_at, input_tokens,
        cached_tokens, output_tokens, usd, estimated, code)
        SELECT seeded.id, k, 'decided', 'null', 'bench', 1, now(), now(), 100, 0, 20, 0.0001, false, ''
        FROM {seeded}, generate_series(1, %(steps)s) AS k""",
    """INSERT INTO runs_tool_call (run_id, step, number, tool_name, tool_version_id, effect, state, decision, reasons,
        args_digest, attempts, code, proposed_at)
        SELECT seeded.id, k, 1, 'noop', %(tool_version)s, 'reversible', 'succeeded', 'ALLOW', '[]', md5(k::text), 1,
            'ok', now()
        FROM {seeded}, generate_series(1, %(steps)s) AS k""",
    """INSERT INTO tools_effectrecord (key, identity_id, tool_version_id, args_digest, dedupe_digest, state, stream_id,
        started_at)
        SELECT seeded.id || ':' || k || ':noop:1', %(identity)s, %(tool_version)s, md5(k::text), '', 'succeeded',
            seeded.id, now() FROM {seeded}, generate_series(1, %(steps)s) AS k""",
)


def seed_steps(steps: int, agent: AgentIdentity, template: Run) -> None:
    """Write rows as ``steps`` steps leave them, shaped like those of a run that exists; their hashes are void."""
    tool_version = agent.versions.get().catalogue.get()
    values: dict[str, Any] = {
        "runs": steps // STEPS_PER_RUN,
        "milliseconds": time.time_ns() // 1_000_000,
        "mark": "7000",
        "template": template.pk,
        "steps": STEPS_PER_RUN,
        "entries": STEPS_PER_RUN * ENTRIES_PER_STEP,
        "identity": agent.pk,
        "tool_version": tool_version.pk,
    }
    with connection.cursor() as cursor:
        for statement in (*_STATEMENTS, _RUNS):
            cursor.execute(statement.format(seeded=_SEEDED), values)


# As a run leaves them that waits for a person; the first goes on being the only one that can be decided. The run that
# asks has an id of its own, beside its request's: both name a stream.
_ASKING = "overlay(seeded.id::text placing '7001' from 15 for 4)::uuid"
_ASKED = (
    """INSERT INTO ledger_stream (id, kind, head_seq, head_hash)
        SELECT seeded.id, 'approval', 1, s.head_hash FROM ledger_stream s, {seeded} WHERE s.id = %(request)s""",
    """INSERT INTO ledger_stream (id, kind, head_seq, head_hash)
        SELECT {asking}, 'run', s.head_seq, s.head_hash FROM ledger_stream s, {seeded} WHERE s.id = %(template)s""",
    """INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
        SELECT seeded.id, 1, e.kind, e.facts, e.content, e.salt, e.content_digest, e.prev_hash, e.hash, e.at, e.actor
        FROM ledger_entry e, {seeded} WHERE e.stream = %(request)s AND e.seq = 1""",
    """INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
        SELECT {asking}, e.seq, e.kind, e.facts, e.content, e.salt, e.content_digest, e.prev_hash, e.hash, e.at,
            e.actor
        FROM ledger_entry e, {seeded} WHERE e.stream = %(template)s""",
    """INSERT INTO runs_run ({run_columns}) SELECT {run_values} FROM runs_run r, {seeded} WHERE r.id = %(template)s""",
    """INSERT INTO runs_step ({step_columns})
        SELECT {step_values} FROM runs_step r, {seeded} WHERE r.run_id = %(template)s""",
    """INSERT INTO runs_tool_call ({call_columns})
        SELECT {call_values} FROM runs_tool_call r, {seeded} WHERE r.run_id = %(template)s""",
    """INSERT INTO approvals_approvalrequest ({request_columns})
        SELECT {request_values} FROM approvals_approvalrequest r, {seeded} WHERE r.id = %(request)s""",
    """INSERT INTO approvals_approvalstage (request_id, place, needed, ladder)
        SELECT seeded.id, s.place, s.needed, s.ladder
        FROM approvals_approvalstage s, {seeded} WHERE s.request_id = %(request)s""",
    """INSERT INTO approvals_stagegroup (request_id, place, group_id, opened_at)
        SELECT seeded.id, s.place, s.group_id, s.opened_at
        FROM approvals_stagegroup s, {seeded} WHERE s.request_id = %(request)s""",
)
# What a copy has of its own; everything else is as the first has it.
_OWN: dict[str, tuple[type[Model], dict[str, str]]] = {
    "run": (
        Run,
        {
            "id": _ASKING,
            "required_actions": "replace(r.required_actions::text, %(request)s::text, seeded.id::text)::jsonb",
        },
    ),
    "step": (Step, {"run_id": _ASKING}),
    "call": (ToolCall, {"run_id": _ASKING, "approval_id": "seeded.id"}),
    "request": (
        ApprovalRequest,
        {"id": "seeded.id", "key": "seeded.id::text", "subject_ref": f"({_ASKING})::text"},
    ),
}


def seed_waiting(count: int, first: ApprovalRequest, asking: Run) -> None:
    """Write so many runs that wait as one that exists does, each with a request about a call of its own."""
    values: dict[str, Any] = {
        "request": first.pk,
        "template": asking.pk,
        "runs": count,
        "milliseconds": time.time_ns() // 1_000_000 + count,
        "mark": "7002",
    }
    parts = {name: text for kind in _OWN for name, text in _copied(kind).items()}
    with connection.cursor() as cursor:
        for statement in _ASKED:
            cursor.execute(statement.format(seeded=_SEEDED, asking=_ASKING, **parts), values)


def _copied(kind: str) -> dict[str, str]:
    """Return the columns of a table, and what a copy of a row has in them."""
    model, own = _OWN[kind]
    columns = [str(field.column) for field in model._meta.concrete_fields if field.column]
    return {
        f"{kind}_columns": ", ".join(columns),
        f"{kind}_values": ", ".join(own.get(name, f"r.{name}") for name in columns),
    }
