"""The journal's statements: their plans are made once, when the tables may still be empty."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from agentops.database import borrowed
from runs import journal, lease_rows
from tools import standing

pytestmark = pytest.mark.django_db(transaction=True)


def plan_of(connection: psycopg.Connection[Any], statement: str) -> str:
    """Return the plan of a statement with PostgreSQL's own placeholders, as a prepared one has it."""
    explained = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode(), prepare=False)
    return "\n".join(row[0] for row in explained)


def numbered(statement: str, *names: str) -> str:
    for number, name in enumerate(names, start=1):
        statement = statement.replace(f"%({name})s", f"${number}")
    return statement


@pytest.mark.parametrize(
    "statement",
    [
        *(statement.sql for statement in journal._APPENDS.values()),
        numbered(lease_rows._LEASE, "owner", "lease_s", "run"),
        standing._STANDING_OF_READ.sql,
        standing._STANDING_OF_WRITE.sql,
    ],
    ids=[
        *(f"append {key}" for key in journal._APPENDS),
        "lease",
        "standing of a read",
        "standing of a write",
    ],
)
def test_no_statement_of_a_step_reads_a_table_whole(statement: str) -> None:
    """On an empty table that would be the cheapest plan, and it would be kept while the table grows."""
    with borrowed() as connection:
        assert not reads_whole(plan_of(connection, statement))


def reads_whole(plan: str) -> bool:
    """Look for what reads every row of a table or an index: joins that sort or hash do too."""
    return any(node in plan for node in ("Seq Scan", "Merge Join", "Hash Join"))


def test_without_the_pool_s_options_the_append_would_read_a_table_whole() -> None:
    with borrowed() as connection, connection.transaction(force_rollback=True):
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(f"SET LOCAL {setting} = on".encode())
        assert reads_whole(plan_of(connection, journal._APPENDS[False].sql))
