"""What the dashboard reads about a week of runs, and how little of everything older."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentops.identifiers import first_id_at
from identities.models import User
from runs.admin import usage
from runs.admin.usage import Week, weekly_usage
from runs.models import AgentVersion
from tests.cast import Cast
from tests.console.visits import sign_in, text_of
from tests.factories import AgentVersionFactory, RunFactory
from tests.ledger.forging import as_owner

pytestmark = [pytest.mark.slow, pytest.mark.console]

NOW = timezone.now()
TODAY = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
HISTORY, RECENT = 5_000, 12


@pytest.fixture
def version(transactional_db: None, cast: Cast) -> AgentVersion:
    """Publish a version with a long history, a busy neighbour team, and a few runs of today."""
    made: AgentVersion = AgentVersionFactory.create(identity=cast.agent, published=True)
    neighbour = AgentVersionFactory.create(identity__team=cast.other_team, published=True)
    with as_owner(triggers=True) as owner:  # what earlier tests deleted still takes room, and plans heed that
        owner.autocommit = True
        owner.execute("VACUUM runs_run, runs_agentversion, identities_agentidentity")
    _add_runs(made, HISTORY, NOW - timedelta(days=30))
    _add_runs(neighbour, HISTORY, NOW - timedelta(days=30))
    _add_runs(made, RECENT, NOW)
    with as_owner(triggers=True) as owner:  # as autovacuum does; the application's role may not
        owner.execute("ANALYZE runs_run, runs_agentversion, identities_agentidentity")
    return made


# One row a minute, like the first but for the id.
_COPIES = """
INSERT INTO runs_run SELECT (jsonb_populate_record(r, jsonb_build_object('id', ids.id))).* FROM runs_run r, (
    SELECT (lpad(to_hex(%(last)s::bigint - n * 60000), 12, '0') || '7000' || substr(md5(n::text || r.id), 1, 16))::uuid
    AS id FROM runs_run r, generate_series(1, %(more)s) AS n WHERE r.id = %(first)s) AS ids
WHERE r.id = %(first)s
"""


def _add_runs(version: AgentVersion, count: int, last: datetime) -> None:
    milliseconds = int(last.timestamp() * 1000)
    first = UUID(int=first_id_at(milliseconds).int + version.pk.int % 2**60)
    RunFactory.create(pk=first, agent_version=version, usd=1, state="completed")
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, {"first": first, "last": milliseconds, "more": count - 1})


def _read(user: User) -> tuple[Week, int, int]:
    """Return the week, how many rows of runs the database looked at for it, and in how many queries."""
    with CaptureQueriesContext(connection) as captured:
        week = weekly_usage(user, TODAY, 4)
    statements = [query["sql"] for query in captured.captured_queries]
    with connection.cursor() as cursor:
        rows = 0
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}")
            rows += sum(_rows_of_runs(_plan(cursor.fetchone()[0])))
    return week, rows, len(statements)


def _plan(told: Any) -> dict[str, Any]:  # Any: text or JSON, as the driver gives it
    plan: dict[str, Any] = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
    return plan


def _rows_of_runs(node: dict[str, Any]) -> Iterator[int]:
    if node.get("Relation Name") == "runs_run":
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield int(seen * node["Actual Loops"])
    for below in node.get("Plans", ()):
        yield from _rows_of_runs(below)


def test_a_week_is_read_without_the_history(cast: Cast, version: AgentVersion) -> None:
    for person in (cast.bob, cast.ada):  # who is on the team, and who sees all teams
        week, rows, queries = _read(person)
        assert [(row.number, row.runs) for row in week.rows] == [(version.number, RECENT)]
        assert not week.is_cut
        assert rows <= 2 * RECENT, "once for the bound, once for the sums"
        assert queries == 2, "and once for what versions take more of"


def test_more_runs_than_are_read_are_said_to_be_more(
    cast: Cast, version: AgentVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST_READ", 5)
    monkeypatch.setattr("runs.admin.dashboard.MOST_READ", 5)
    week, rows, queries = _read(cast.ada)
    assert (week.rows[0].runs, week.is_cut, queries) == (5, True, 2)
    assert rows <= 2 * 5 + 2
    assert "Counted: the newest 5 runs." in text_of(sign_in(cast.bob).get("/admin/"))


def test_fewer_than_are_read_are_not_said_to_be_cut(
    cast: Cast, version: AgentVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST_READ", RECENT + 1)
    week, _, _ = _read(cast.bob)
    assert (week.rows[0].runs, week.is_cut) == (RECENT, False)
