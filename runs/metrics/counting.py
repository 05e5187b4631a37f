"""Adding to the sums what runs did since, each entry once: the sums and how far was read are one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from agentops.database import borrowed
from agentops.ledger.decoding import decode_facts
from agentops.ledger.store import Cursor
from runs.metrics.sums import Happened, add_up
from runs.models import CountMark, Run

RUNS, ENTRIES = 100, 300  # of a transaction: so many runs, and of each so many entries
MOST_ROUNDS = 20

_MARKS = """
SELECT m.run_id FROM runs_count_mark m JOIN ledger_stream s ON s.id = m.run_id WHERE s.head_seq > m.seq
ORDER BY m.run_id LIMIT %(runs)s FOR UPDATE OF m SKIP LOCKED
"""


# Facts that somebody wrote by hand add nothing, rather than keep the rest from being counted.
def _number(name: str) -> str:
    return f"CASE WHEN e.facts ->> '{name}' ~ '^[0-9]{{1,9}}$' THEN (e.facts ->> '{name}')::int END"


# What a call is named is the word of a row that the append wrote with the entry; a name that a model made up is none.
_READ = f"""
SELECT m.run_id, e.seq, e.kind, e.facts::text, e.at, r.created_at, t.slug, i.slug,
    left(coalesce(e.facts ->> 'requested_model', v.model), 120),
    coalesce(c.tool_name, '')
FROM runs_count_mark m JOIN runs_run r ON r.id = m.run_id
JOIN identities_team t ON t.id = r.team_id JOIN identities_agentidentity i ON i.id = r.identity_id
JOIN runs_agentversion v ON v.id = r.agent_version_id
CROSS JOIN LATERAL (
    SELECT seq, kind, facts, at FROM ledger_entry WHERE stream = m.run_id AND seq > m.seq ORDER BY seq LIMIT %(entries)s
) AS e
LEFT JOIN runs_tool_call c ON c.run_id = m.run_id AND c.step = {_number("step")}
    AND c.number = {_number("call")}
WHERE m.run_id = ANY(%(marked)s)
"""  # noqa: S608  constants only
_ADD = """
INSERT INTO runs_count AS c (metric, labels, value) SELECT * FROM unnest(%s::text[], %s::text[], %s::numeric[])
ON CONFLICT (metric, labels) DO UPDATE SET value = c.value + excluded.value
"""
_MOVE = """
UPDATE runs_count_mark m SET seq = n.seq FROM unnest(%s::uuid[], %s::int[]) AS n(run, seq) WHERE m.run_id = n.run
"""
_DROP = """
DELETE FROM runs_count_mark m USING runs_run r, ledger_stream s
WHERE m.run_id = ANY(%s) AND r.id = m.run_id AND s.id = m.run_id AND r.ended_at IS NOT NULL AND s.head_seq = m.seq
"""


def begin_counting(run: Run) -> None:
    """Have a run counted, in the transaction that starts it, if anybody may ask for metrics."""
    if settings.METRICS_TOKEN:
        CountMark.objects.create(run=run)


def count_all() -> int:
    """Count what runs did since; return how many entries that were."""
    if not settings.METRICS_TOKEN:
        return 0
    counted = 0
    for _ in range(MOST_ROUNDS):
        found = _count_some()
        counted += found
        if not found:
            break
    return counted


def _count_some() -> int:
    with borrowed() as connection, connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_MARKS, {"runs": RUNS})
        marked = [run for (run,) in cursor.fetchall()]
        if not marked:
            return 0
        cursor.execute(_READ, {"marked": marked, "entries": ENTRIES})
        rows = cursor.fetchall()
        _write(cursor, rows)
        cursor.execute(_DROP, (marked,))
        return len(rows)


def _write(cursor: Cursor, rows: Sequence[Any]) -> None:  # Any: columns of ``_READ``
    heads: dict[UUID, int] = {}
    for run, seq, *_ in rows:
        heads[run] = max(seq, heads.get(run, 0))
    sums = add_up(
        Happened(kind, decode_facts(facts) or {}, at, began_at, team, agent, model, tool)
        for _, _, kind, facts, at, began_at, team, agent, model, tool in rows
    )
    # In one order, so that two who count at once do not wait for each other in a ring.
    metrics, labels, values = _columns(sums)
    cursor.execute(_ADD, (metrics, labels, values))
    cursor.execute(_MOVE, ([*heads], [*heads.values()]))


def _columns(sums: dict[tuple[str, str], Decimal]) -> tuple[list[str], list[str], list[Decimal]]:
    keys = sorted(sums)
    return [metric for metric, _ in keys], [labels for _, labels in keys], [sums[key] for key in keys]
