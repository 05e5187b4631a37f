"""The journal: how a driver writes. On the hot path nothing else does, but for the lease (`runs.lease_rows`).

An append is one statement: fence on the lease, move the stream's head, add the entries, move the projections, write
what is to be told.
Every branch selects from the fence and the head, so a driver that lost its lease, or whose idea of the
stream is old, writes nothing at all. It waits for no lock: what it compares (standing, budgets) would be as
old as the wait. Whoever has to wait does so before, in a statement of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
import psycopg

from agentops.database import JournalConnection, Prepared
from agentops.engine.budgets import Shortfall
from agentops.ledger.entries import Draft, Head, SealedEntry, seal
from agentops.ledger.store import Cursor, new_salt
from runs import draws
from runs.concerns import is_ending
from runs.draws import Draw
from runs.notices import NOTICES
from runs.projection import Projection, RunRow
from tools.standing import ACTORS_AS_SEEN, STANDING_AS_SEEN

Word = Literal[
    "appended",
    "lease_lost",
    "head_moved",
    "budget_set",
    "standing_changed",
    "window_missing",
    "window_locked",
    "budget_short",
]

# Rows travel as one JSON document: forty array parameters cost five times as much to encode. The placeholder
# is PostgreSQL's own, because psycopg parses a statement of this length anew every time it is executed.
_WRITES = f"""
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS w(id uuid, identity uuid, epoch int, before_seq int,
        before_hash bytea, after_seq int, after_hash bytea, bound text[], actors jsonb, premises jsonb, entries jsonb,
        run jsonb, steps jsonb, calls jsonb, effects jsonb, {draws.COLUMNS})
"""  # noqa: S608  constants only
_APPEND_ENTRIES = """
WITH w AS MATERIALIZED ({writes}), fence AS (
    SELECT r.id, r.team_id, r.identity_id, r.application_id, r.started_by_id, r.principal_id, r.agent_version_id,
        r.line, r.credential_id, w.bound, w.actors, w.premises,
        w.drawn_at, w.spent_steps, w.spent_tokens, w.spent_usd, w.hold_steps, w.hold_tokens, w.hold_usd
    FROM w JOIN runs_run r ON r.id = w.id AND r.lease_epoch = w.epoch
    ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
), unbound AS (
    SELECT fence.id FROM fence JOIN runs_budget b
        ON b.team_id = fence.team_id AND (b.identity_id IS NULL OR b.identity_id = fence.identity_id)
    WHERE bound IS NOT NULL AND ((b.max_steps IS NOT NULL AND 'steps' <> ALL (bound))
        OR (b.max_tokens IS NOT NULL AND 'tokens' <> ALL (bound))
        OR (b.max_usd IS NOT NULL AND 'usd' <> ALL (bound))
        OR hold_steps IS NULL AND NOT EXISTS (SELECT FROM runs_escrow s JOIN runs_budgetwindow bw ON bw.id = s.window_id
            WHERE s.run_id = fence.id AND bw.budget_id = b.id))
), changed AS (
    SELECT fence.id FROM fence WHERE actors IS NOT NULL AND actors IS DISTINCT FROM ({actors})
    UNION ALL
    SELECT fence.id FROM fence, jsonb_to_recordset(premises) AS n(tool uuid, seen text, key text)
    WHERE n.seen IS DISTINCT FROM ({standing}) OR EXISTS (SELECT FROM tools_effectrecord f WHERE f.key = n.key)
    UNION ALL
    SELECT fence.id FROM fence, jsonb_array_elements(line) AS l(link)
        JOIN runs_run parent ON parent.id = (l.link ->> 'run')::uuid AND {is_ending}
    WHERE actors IS NOT NULL OR premises <> '[]'
), {changes}moved AS (
    UPDATE ledger_stream s SET head_seq = w.after_seq, head_hash = w.after_hash FROM fence JOIN w USING (id)
    WHERE s.id = fence.id AND s.head_seq = w.before_seq AND s.head_hash = w.before_hash
        AND NOT EXISTS (SELECT FROM unbound u WHERE u.id = fence.id)
        AND NOT EXISTS (SELECT FROM changed c WHERE c.id = fence.id){is_within}
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
SELECT fence.id::text, CASE WHEN EXISTS (SELECT FROM unbound u WHERE u.id = fence.id) THEN 'budget_set'
    WHEN EXISTS (SELECT FROM changed c WHERE c.id = fence.id) THEN 'standing_changed'{says}
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
_ACTORS = ACTORS_AS_SEEN.format(**_OF_FENCE)
_STANDING = STANDING_AS_SEEN.format(**_OF_FENCE, tool="n.tool", more="")
_WITHOUT_DRAWS = {"changes": "", "is_within": "", "draw_writes": "", "says": "", "tells": "NULL"}
_WITH_DRAWS = {
    "changes": draws.CHANGES,
    "is_within": draws.IS_WITHIN,
    "draw_writes": draws.WRITES,
    "says": draws.SAYS,
    "tells": draws.TELLS,
}


def _statement(parts: dict[str, str]) -> Prepared:
    return Prepared(
        _APPEND_ENTRIES.format(
            writes=_WRITES,
            actors=_ACTORS,
            standing=_STANDING,
            rows=_ROWS,
            notices=NOTICES,
            is_ending=is_ending("parent"),
            **parts,
        )
    )


# With and without draws on shared budgets.
_APPENDS = {True: _statement(_WITH_DRAWS), False: _statement(_WITHOUT_DRAWS)}
_PROJECT = Prepared(f"WITH head AS ({_WRITES}), {_ROWS} SELECT '1'")

_LOCK_RUN = "SELECT FROM runs_run WHERE id = %s FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Premise:
    """How a tool, its grant and the actors were seen to stand when a call was allowed: the text of an answer.

    ``key``, where it was not looked up, must be one that the idempotency ledger does not know.
    """

    tool: UUID
    seen: str
    key: str | None = None


class Write(NamedTuple):
    """One append: entries sealed behind a head, and what they change."""

    run: UUID
    identity: UUID
    epoch: int
    before: Head
    after: Head
    entries: Sequence[SealedEntry]
    row: RunRow
    projection: Projection
    # Before a model call: the units that the run knows to be shared. A budget not yet drawn on stops the append.
    bound: list[str] | None = None
    # Before a model call: how those stood by whose authority the run acts. Another standing stops the append.
    actors: list[Any] | None = None
    # What the run draws on its shared budgets with this append, or returns.
    draw: Draw | None = None
    # Before attempts: what their decisions rest on. When one of them stands otherwise, nothing is written.
    premises: Sequence[Premise] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A write as the JSON that the statement takes, and which statement it takes."""

    text: str
    draw: Draw | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a write; ``missing`` of which shared budget, when one was short."""

    word: Word
    missing: tuple[Shortfall, ...] = ()


LEASE_LOST = Appended("lease_lost")


def seal_drafts(run: UUID, head: Head, drafts: Iterable[Draft]) -> tuple[list[SealedEntry], Head]:
    """Chain drafts behind a head."""
    return seal(run, head, drafts, new_salt)


def encode(write: Write) -> Document:
    """Return an append as the statement takes it."""
    before, after = write.before, write.after
    document = {
        "id": write.run,
        "identity": write.identity,
        "epoch": write.epoch,
        "before_seq": before.seq,
        "before_hash": before.hash,
        "after_seq": after.seq,
        "after_hash": after.hash,
        "bound": write.bound,
        "actors": write.actors,
        "premises": write.premises,
        "entries": [entry._asdict() for entry in write.entries],
        **draws.columns_of(write.draw),
        **_rows(write.row, write.projection),
    }
    return Document(_encode(document), write.draw)


def lock(cursor: Cursor, write: Write) -> None:
    """Wait, in the caller's transaction, for all that an append locks: for the run, then for its windows."""
    cursor.execute(_LOCK_RUN, (write.run,))
    if write.draw is not None:
        draws.lock_windows(cursor, {write.run: write.draw})


def append(connection: psycopg.Connection[Any], write: Write) -> Appended:
    """Append to one run, whose lock the caller has; say why when nothing was written."""
    return append_documents(connection, [encode(write)]).get(write.run, LEASE_LOST)


def append_documents(
    connection: psycopg.Connection[Any], documents: Sequence[Document]
) -> dict[UUID, Appended]:
    """Append to several runs in one statement: each is judged alone, an error undoes them all.

    A run that is missing in the answer is driven by somebody else, or locked by somebody.
    """
    statement = _APPENDS[any(document.draw for document in documents)]
    return _read_words(statement.rows(connection, (_join(documents),)))


def append_group(
    connection: JournalConnection, documents: Sequence[Document], drawing: Mapping[UUID, Draw]
) -> dict[UUID, Appended]:
    """Append like ``append_documents``, and wait before, briefly, for the windows of what is drawn.

    Raises LockNotAvailable where that takes too long.
    """
    if not drawing:
        return append_documents(connection, documents)
    windows, parameters = draws.name_windows(drawing), (_join(documents),)
    return _read_words(_APPENDS[True].rows_after(connection, parameters, draws.LOCK_BRIEFLY, windows))


def _join(documents: Sequence[Document]) -> str:
    return f"[{','.join([document.text for document in documents])}]"


def _read_words(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, Appended]:
    return {UUID(run): _read_word(word, told) for run, word, told in rows}


def _read_word(word: Word, told: str | None) -> Appended:
    return Appended(word, tuple(draws.read_missing(told)) if word == "budget_short" else ())


def write_rows(
    connection: psycopg.Connection[Any], run: UUID, identity: UUID, row: RunRow, projection: Projection
) -> None:
    """Write what was projected, without an entry: for rows that are built anew."""
    document = _encode([{"id": run, "identity": identity, **_rows(row, projection)}])
    _PROJECT.rows(connection, (document,))


def _rows(row: RunRow, projection: Projection) -> dict[str, Any]:
    return {
        "run": row._asdict(),
        "steps": [vars(row) for row in projection.steps.values()],
        "calls": [vars(row) for row in projection.calls.values()],
        "effects": [vars(row) for row in projection.effects.values()],
    }


def _as_text(value: object) -> str:
    """Write what JSON has no type for as PostgreSQL reads it."""
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _encode(document: Any) -> str:  # Any: JSON, with times, UUIDs, Decimals and bytes in it
    return orjson.dumps(document, default=_as_text).decode()
