"""The statements that append: fence on the lease, compare, move the stream's head, add the entries, move the rows.

A statement has only the parts that the writes of its group need. To make a whole one ready costs PostgreSQL as much
as to carry it out, and most writes neither draw on a budget nor tell anybody anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import NamedTuple

from agentops.database import Prepared
from runs import draws
from runs.concerns import is_ending
from runs.notices import NOTICES
from tools.standing import ACTORS_AS_SEEN, STANDING_AS_SEEN


class Parts(NamedTuple):
    """What a statement has beyond what each has."""

    draws: bool  # on shared budgets
    asks: bool  # a model: compares which budgets bind the run, and how those stand by whose authority it acts
    attempts: bool  # calls: compares what allowed them
    notices: bool  # for people, of what happened


def unite(parts: Iterable[Parts]) -> Parts:
    """Return the parts that a group of writes needs."""
    return Parts(*map(any, zip(*parts, strict=True)))


# Rows travel as one JSON document: forty array parameters cost five times as much to encode. The placeholder
# is PostgreSQL's own, because psycopg parses a statement of this length anew every time it is executed.
_WRITES = f"""
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, identity uuid, epoch int, before_seq int,
        before_hash bytea, after_seq int, after_hash bytea, bound text[], actors jsonb, premises jsonb, entries jsonb,
        run jsonb, steps jsonb, calls jsonb, effects jsonb, {draws.COLUMNS})
"""  # noqa: S608  constants only
_APPEND = """
WITH w AS MATERIALIZED ({writes}), fence AS (
    SELECT r.id, r.team_id, r.identity_id, r.application_id, r.started_by_id, r.principal_id, r.agent_version_id,
        r.kind, r.line, r.credential_id, w.bound, w.actors, w.premises,
        w.drawn_at, w.spent_steps, w.spent_tokens, w.spent_usd, w.hold_steps, w.hold_tokens, w.hold_usd
    FROM w, LATERAL (
        SELECT * FROM runs_run WHERE id = w.id AND lease_epoch = w.epoch FOR NO KEY UPDATE SKIP LOCKED) AS r
{checks}), {changes}moved AS (
    UPDATE ledger_stream s SET head_seq = w.after_seq, head_hash = w.after_hash FROM fence JOIN w USING (id)
    WHERE s.id = fence.id AND s.head_seq = w.before_seq AND s.head_hash = w.before_hash{stands}{is_within}
    RETURNING s.id
), head AS (
    SELECT w.* FROM moved JOIN w USING (id)
), entries AS (
    INSERT INTO ledger_entry (stream, seq, kind, facts, content, salt, content_digest, prev_hash, hash, at, actor)
    SELECT head.id, n.seq, n.kind, n.facts::jsonb, n.content, n.salt, n.content_digest, n.prev_hash, n.hash, n.at,
        n.actor
    FROM head, jsonb_to_recordset(head.entries) AS n(seq int, kind text, facts text, content text,
        salt bytea, content_digest bytea, prev_hash bytea, hash bytea, at timestamptz, actor uuid)
), {rows}{notices}{draw_writes}
SELECT fence.id::text, CASE{finds}{says}
    WHEN moved.id IS NULL THEN 'head_moved' ELSE 'appended' END, {tells}
FROM fence LEFT JOIN moved USING (id)
"""
_ROWS = """run AS (
    UPDATE runs_run r SET state = n.state, status_reason = n.reason, status_detail = n.detail,
        required_actions = n.actions, steps = n.steps,
        tool_calls = r.tool_calls + n.calls, tokens = n.tokens, usd = n.usd, worked_ms = n.worked_ms,
        updated_at = n.now, ended_at = coalesce(r.ended_at, n.ended_at)
    FROM head, jsonb_to_record(head.run) AS n(state text, reason text, detail text, actions jsonb,
        steps int, calls int, tokens bigint, usd numeric, worked_ms bigint, now timestamptz, ended_at timestamptz)
    WHERE r.id = head.id
), steps AS (
    INSERT INTO runs_step AS s (run_id, number, state, model, price_version, attempts, asked_at, decided_at,
        input_tokens, cached_tokens, output_tokens, usd, estimated, code, decided_seq)
    SELECT head.id, n.number, n.state, coalesce(n.model, ''), coalesce(n.price_version, ''), coalesce(n.attempts, 1),
        coalesce(n.asked_at, n.decided_at, clock_timestamp()), n.decided_at, coalesce(n.input_tokens, 0),
        coalesce(n.cached_tokens, 0), coalesce(n.output_tokens, 0), coalesce(n.usd, 0), coalesce(n.estimated, false),
        coalesce(n.code, ''), n.decided_seq
    FROM head, jsonb_to_recordset(head.steps) AS n(number int, state text, model text, price_version text,
        attempts int, asked_at timestamptz, decided_at timestamptz, input_tokens int, cached_tokens int,
        output_tokens int, usd numeric, estimated bool, code text, decided_seq int)
    ON CONFLICT (run_id, number) DO UPDATE SET state = excluded.state,
        model = coalesce(nullif(excluded.model, ''), s.model),
        price_version = coalesce(nullif(excluded.price_version, ''), s.price_version),
        attempts = greatest(s.attempts, excluded.attempts), decided_at = coalesce(excluded.decided_at, s.decided_at),
        input_tokens = s.input_tokens + excluded.input_tokens,
        cached_tokens = s.cached_tokens + excluded.cached_tokens,
        output_tokens = s.output_tokens + excluded.output_tokens, usd = s.usd + excluded.usd,
        estimated = s.estimated OR excluded.estimated, code = excluded.code,
        decided_seq = coalesce(excluded.decided_seq, s.decided_seq)
), calls AS (
    INSERT INTO runs_tool_call AS c (run_id, step, number, tool_name, tool_version_id, effect, state, decision,
        reasons, approval_id, args_digest, attempts, code, proposed_at, held_until, started_at, ended_at,
        latency_ms, decided_seq, outcome_seq)
    SELECT head.id, n.step, n.number, coalesce(n.tool_name, ''), n.tool_version_id, coalesce(n.effect, ''), n.state,
        coalesce(n.decision, ''), coalesce(n.reasons, '[]'), n.approval_id, coalesce(n.args_digest, ''),
        coalesce(n.attempts, 0), coalesce(n.code, ''), coalesce(n.proposed_at, clock_timestamp()), n.held_until,
        n.started_at, n.ended_at, n.latency_ms, n.decided_seq, n.outcome_seq
    FROM head, jsonb_to_recordset(head.calls) AS n(step int, number int, tool_name text,
        tool_version_id uuid, effect text, state text, decision text, reasons jsonb, approval_id uuid,
        args_digest text, attempts int, code text, proposed_at timestamptz, held_until timestamptz,
        started_at timestamptz, ended_at timestamptz, latency_ms int, decided_seq int, outcome_seq int)
    ON CONFLICT (run_id, step, number) DO UPDATE SET state = excluded.state,
        tool_version_id = coalesce(excluded.tool_version_id, c.tool_version_id),
        effect = coalesce(nullif(excluded.effect, ''), c.effect),
        decision = coalesce(nullif(excluded.decision, ''), c.decision),
        reasons = CASE WHEN excluded.reasons = '[]' THEN c.reasons ELSE excluded.reasons END,
        approval_id = coalesce(excluded.approval_id, c.approval_id),
        attempts = greatest(excluded.attempts, c.attempts), code = coalesce(nullif(excluded.code, ''), c.code),
        args_digest = coalesce(nullif(excluded.args_digest, ''), c.args_digest),
        decided_seq = coalesce(excluded.decided_seq, c.decided_seq),
        held_until = coalesce(excluded.held_until, c.held_until),
        started_at = coalesce(c.started_at, excluded.started_at), ended_at = coalesce(excluded.ended_at, c.ended_at),
        latency_ms = coalesce(excluded.latency_ms, c.latency_ms),
        outcome_seq = coalesce(excluded.outcome_seq, c.outcome_seq)
), effects AS (
    INSERT INTO tools_effectrecord AS f (key, identity_id, tool_version_id, args_digest, dedupe_digest, state,
        stream_id, started_at, outcome_seq, ended_at)
    SELECT n.key, head.identity, n.tool_version_id, n.args_digest, coalesce(n.dedupe_digest, ''),
        n.state, head.id, n.at, n.outcome_seq, CASE WHEN n.outcome_seq IS NOT NULL THEN n.at END
    FROM head, jsonb_to_recordset(head.effects) AS n(key text, args_digest text, dedupe_digest text,
        tool_version_id uuid, state text, at timestamptz, outcome_seq int)
    ON CONFLICT (key) DO UPDATE SET state = excluded.state, outcome_seq = excluded.outcome_seq,
        ended_at = excluded.ended_at WHERE f.args_digest = excluded.args_digest
)"""
_OF_FENCE = {
    "application": "fence.application_id",
    "initiator": "fence.started_by_id",
    "identity": "fence.identity_id",
    "principal": "fence.principal_id",
    "provider": "(SELECT v.planner FROM runs_agentversion v WHERE v.id = fence.agent_version_id)",
    "line": "fence.line",
    "credential": "fence.credential_id",
}
# A budget that limits what the run does not know to be limited, or on which it has not drawn. Tables are asked by
# subqueries that stand for a value, here and wherever a statement of a step asks: EXISTS may be planned as a table of
# all rows, read for each append.
_UNBOUND = """
), unbound AS (
    SELECT fence.id FROM fence JOIN runs_budget b
        ON b.team_id = fence.team_id AND (b.identity_id IS NULL OR b.identity_id = fence.identity_id)
    WHERE bound IS NOT NULL AND ((b.max_steps IS NOT NULL AND 'steps' <> ALL (bound))
        OR (b.max_tokens IS NOT NULL AND 'tokens' <> ALL (bound))
        OR (b.max_usd IS NOT NULL AND 'usd' <> ALL (bound))
        OR hold_steps IS NULL AND (SELECT true FROM runs_escrow s JOIN runs_budgetwindow bw ON bw.id = s.window_id
            WHERE s.run_id = fence.id AND bw.budget_id = b.id LIMIT 1) IS NULL)
"""
_ACTORS_CHANGED = f"""
    SELECT fence.id FROM fence
    WHERE actors IS NOT NULL AND actors IS DISTINCT FROM ({ACTORS_AS_SEEN.format(**_OF_FENCE)})
"""  # noqa: S608  constants only
_PREMISES_CHANGED = f"""
    SELECT fence.id FROM fence, jsonb_to_recordset(premises) AS n(tool uuid, seen text, key text)
    WHERE n.seen IS DISTINCT FROM ({STANDING_AS_SEEN.format(**_OF_FENCE, tool="n.tool", more="")})
        OR (SELECT f.key FROM tools_effectrecord f WHERE f.key = n.key) IS NOT NULL
"""  # noqa: S608  constants only
_PARENT_ENDING = f"""
    SELECT fence.id FROM fence, jsonb_array_elements(line) AS l(link)
    WHERE (actors IS NOT NULL OR premises <> '[]')
        AND (SELECT {is_ending("parent")} FROM runs_run parent WHERE parent.id = (l.link ->> 'run')::uuid)
"""  # noqa: S608  constants only


def _checks(parts: Parts) -> dict[str, str]:
    """Return what is compared before anything is written, how that refuses, and what it then says."""
    changed = [_ACTORS_CHANGED] * parts.asks + [_PREMISES_CHANGED] * parts.attempts
    if not changed:
        return {"checks": "", "stands": "", "finds": ""}
    found = {"changed": "standing_changed"}
    checks = "), changed AS (" + "UNION ALL".join([*changed, _PARENT_ENDING])
    if parts.asks:
        found, checks = {"unbound": "budget_set", **found}, _UNBOUND + checks
    exists = {word: f"EXISTS (SELECT FROM {name} c WHERE c.id = fence.id)" for name, word in found.items()}
    return {
        "checks": checks,
        "stands": "".join(f" AND NOT {each}" for each in exists.values()),
        "finds": "".join(f" WHEN {each} THEN '{word}'" for word, each in exists.items()),
    }


_WITHOUT_DRAWS = {"changes": "", "is_within": "", "draw_writes": "", "says": "", "tells": "NULL"}
_WITH_DRAWS = {
    "changes": draws.CHANGES,
    "is_within": draws.IS_WITHIN,
    "draw_writes": draws.WRITES,
    "says": draws.SAYS,
    "tells": draws.TELLS,
}


def _append_with(parts: Parts) -> Prepared:
    return Prepared(
        _APPEND.format(
            writes=_WRITES,
            rows=_ROWS,
            notices=NOTICES if parts.notices else "",
            **_checks(parts),
            **(_WITH_DRAWS if parts.draws else _WITHOUT_DRAWS),
        )
    )


# The columns of all: the fence's run, in one word what became of its write, and what it lacks of which budget.
APPENDS = {parts: _append_with(parts) for parts in map(Parts._make, product((False, True), repeat=4))}
# The rows alone, without an entry.
PROJECT = Prepared(f"WITH head AS ({_WRITES}), {_ROWS} SELECT '1'")
