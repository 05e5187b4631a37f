"""What became of a tool's calls, and how long the tool took: of the last week, from the newest calls of its versions.

How many calls are read is bounded, so that the answer costs the same in a large installation; where that bound was
reached, the answer says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from django.db import connection, transaction

from tools.models import Tool

Outcome = Literal["succeeded", "failed", "unknown", "denied", "refused", "waiting", "under_way"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
WINDOWS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
MOST_READ = 10_000  # newest calls of each version: about 10 ms
MOST_VERSIONS = 5  # newest ones; agents pin few others
MOST_CODES = 8
NEWEST = 8

# Denied is what people did not allow, in time or at all; refused is what the rules or a closed door did not.
DENIED = ("denied_by_human", "approval_expired", "approval_not_recorded", "vetoed", "asked_back")
IN_DOUBT = ("unknown", "parking", "parked")
OUTCOME_OF = """CASE WHEN c.state IN ('succeeded', 'failed', 'waiting') THEN c.state
    WHEN c.state = 'held' THEN 'waiting' WHEN c.state = ANY(%(in_doubt)s) THEN 'unknown'
    WHEN c.state = 'refused' AND c.code = ANY(%(denied)s) THEN 'denied'
    WHEN c.state = 'refused' THEN 'refused' ELSE 'under_way' END"""

# Each version's newest calls are a range of the index ``call_by_tool``; a list of versions would be no range.
_RECENT = f"""
WITH recent AS MATERIALIZED (
    SELECT v.number AS version, c.* FROM (
        SELECT id, number FROM tools_toolversion WHERE tool_id = %(tool)s ORDER BY number DESC LIMIT %(versions)s) AS v
    CROSS JOIN LATERAL (
        SELECT {OUTCOME_OF} AS outcome, c.code, c.proposed_at, c.run_id, c.step, c.number, c.outcome_seq,
            CASE WHEN c.attempts > 0 THEN c.latency_ms END AS latency_ms
        FROM runs_tool_call c WHERE c.tool_version_id = v.id AND c.proposed_at > %(week)s
        ORDER BY c.proposed_at DESC LIMIT %(most)s) AS c)
"""  # noqa: S608  constants only
_USE = f"""{_RECENT}
SELECT (SELECT coalesce(jsonb_agg(counted), '[]') FROM (
        SELECT outcome, CASE WHEN outcome = ANY(%(told)s) THEN code ELSE '' END AS code, count(*) AS week,
            count(*) FILTER (WHERE proposed_at > %(hour)s) AS hour,
            count(*) FILTER (WHERE proposed_at > %(day)s) AS day
        FROM recent GROUP BY 1, 2) AS counted),
    (SELECT coalesce(jsonb_agg(measured ORDER BY version DESC), '[]') FROM (
        SELECT version, count(*) AS calls, count(latency_ms) AS attempts,
            extract(epoch FROM min(proposed_at)) AS oldest,
            percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY latency_ms) AS ms
        FROM recent GROUP BY 1) AS measured),
    (SELECT coalesce(jsonb_agg(newest ORDER BY newest.proposed_at DESC), '[]') FROM (
        SELECT run_id, step, number, version, outcome, code, latency_ms, proposed_at, outcome_seq
        FROM recent ORDER BY proposed_at DESC LIMIT %(shown)s) AS newest)
"""  # noqa: S608  constants only
_CALLS = f"""{_RECENT}
SELECT run_id, step, number, version, outcome, code, latency_ms, proposed_at, outcome_seq FROM recent
WHERE proposed_at > %(since)s AND (%(outcome)s = '' OR outcome = %(outcome)s) AND (%(code)s = '' OR code = %(code)s)
ORDER BY proposed_at DESC, run_id DESC, step DESC, number DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608  constants only


class Counted(NamedTuple):
    """How many calls became one thing, by window."""

    name: str
    hour: int
    day: int
    week: int


NOTHING = Counted("total", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the last attempt of each call took the tool, without any waiting; None: nobody knows."""

    version: int
    calls: int
    attempts: int
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None


class SeenCall(NamedTuple):
    """One call; ``outcome_seq`` is the entry of its run that settled it."""

    run_id: UUID
    step: int
    number: int
    version: int
    outcome: Outcome
    code: str
    latency_ms: int | None
    proposed_at: datetime
    outcome_seq: int | None


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool's last week. ``complete_since``: of what was before that moment not every call was counted."""

    outcomes: tuple[Counted, ...] = ()
    refusals: tuple[Counted, ...] = ()
    failures: tuple[Counted, ...] = ()
    latencies: tuple[Latency, ...] = ()
    complete_since: datetime | None = None
    total: Counted = NOTHING
    newest: tuple[SeenCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls are asked for: of a window, with an outcome and a code where they are named."""

    window: str = "week"
    outcome: str = ""
    code: str = ""


def read_use(tool: Tool, now: datetime) -> ToolUse:
    """Return what became of a tool's calls in the last hour, day and week; one query."""
    (row,) = _read(_USE, {**_bounds(tool, now), "shown": NEWEST})
    counted, measured, newest = (json.loads(column) for column in row)
    cut = [row["oldest"] for row in measured if row["calls"] >= MOST_READ]
    return ToolUse(
        outcomes=tuple(_sum(name, counted, "outcome", name) for name in OUTCOMES),
        refusals=_top(counted, ("refused", "denied")),
        failures=_top(counted, ("failed", "unknown")),
        latencies=tuple(_latency(row) for row in measured),
        complete_since=datetime.fromtimestamp(max(cut), now.tzinfo) if cut else None,
        total=_sum("total", counted),
        newest=tuple(_seen(row) for row in newest),
    )


def list_calls(tool: Tool, wanted: Wanted, now: datetime, *, limit: int, offset: int = 0) -> list[SeenCall]:
    """Return the calls behind a number, newest first: of the very same ones that were counted."""
    values = {
        **_bounds(tool, now), "since": now - WINDOWS[wanted.window], "outcome": wanted.outcome, "code": wanted.code,
        "limit": limit, "offset": offset,
    }  # fmt: skip
    return [SeenCall(*row) for row in _read(_CALLS, values)]


def _read(statement: str, values: dict[str, Any]) -> list[Any]:  # Any: what psycopg takes and gives
    """Read the newest calls in the order of their index.

    To sort all calls of a week looks cheaper to a planner whose statistics are old, and takes a second for a million.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(statement, values)
        rows: list[Any] = cursor.fetchall()
        return rows


def _bounds(tool: Tool, now: datetime) -> dict[str, Any]:  # Any: what psycopg takes
    return {
        **{name: now - length for name, length in WINDOWS.items()},
        "tool": tool.pk, "versions": MOST_VERSIONS, "most": MOST_READ,
        "in_doubt": list(IN_DOUBT), "denied": list(DENIED), "told": ["denied", "refused", "failed", "unknown"],
    }  # fmt: skip


def _sum(name: str, rows: Sequence[Mapping[str, Any]], key: str = "", value: str = "") -> Counted:
    chosen = [row for row in rows if not key or row[key] == value]
    return Counted(name, *(sum(row[window] for row in chosen) for window in WINDOWS))


def _top(rows: Sequence[Mapping[str, Any]], outcomes: tuple[Outcome, ...]) -> tuple[Counted, ...]:
    found = [row for row in rows if row["outcome"] in outcomes]
    codes = sorted({row["code"] for row in found})
    summed = (_sum(code, found, "code", code) for code in codes)
    return tuple(sorted(summed, key=lambda row: (-row.week, row.name))[:MOST_CODES])


def _seen(row: Mapping[str, Any]) -> SeenCall:
    told = {"run_id": UUID(row["run_id"]), "proposed_at": datetime.fromisoformat(row["proposed_at"])}
    return SeenCall(**{**row, **told})


def _latency(row: Mapping[str, Any]) -> Latency:
    measured = [round(value) for value in row["ms"]] if row["ms"] else [None] * 3
    return Latency(row["version"], row["calls"], row["attempts"], *measured)
