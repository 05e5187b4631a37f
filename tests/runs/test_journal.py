"""The journal's statements: their plans are made once, when the tables may still be empty."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from agentops.database import Prepared, borrowed
from runs import lease_rows
from runs.append_statements import APPENDS, Parts
from tests.runs.company import ORDER, Company, proposes, says
from tools import standing

pytestmark = pytest.mark.django_db(transaction=True)
ALL = Parts(draws=True, asks=True, attempts=True, notices=True)


def plan_of(connection: psycopg.Connection[Any], statement: str) -> str:
    """Return the plan of a statement with PostgreSQL's own placeholders, as a prepared one has it."""
    explained = connection.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode(), prepare=False)
    return "\n".join(row[0] for row in explained)


def numbered(statement: str, *names: str) -> str:
    for number, name in enumerate(names, start=1):
        statement = statement.replace(f"%({name})s", f"${number}")
    return statement


# Every statement that a step makes, by what it is for.
OF_A_STEP = {
    **{
        "append" + "".join(f" {name}" for name, is_in in parts._asdict().items() if is_in): statement.sql
        for parts, statement in APPENDS.items()
    },
    "lease": numbered(lease_rows._LEASE_OF_RUN, "owner", "lease_s", "run"),
    "lease in turn": numbered(lease_rows._LEASE_IN_TURN, "owner", "lease_s", "run"),
    "standing of a read": standing._STANDING_OF_READ.sql,
    "standing of a write": standing._STANDING_OF_WRITE.sql,
}


@pytest.fixture
def as_installed() -> None:
    """Let PostgreSQL know nothing of the tables, as on the day of an installation."""
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as owner:
        owner.execute("""
            SELECT pg_clear_relation_stats(schemaname::text, tablename::text) FROM pg_tables
            WHERE schemaname = 'public' AND tableowner = current_user""")


@pytest.mark.usefixtures("as_installed")
@pytest.mark.parametrize("name", OF_A_STEP)
def test_no_statement_of_a_step_reads_a_table_whole(name: str) -> None:
    """On an empty table that would be the cheapest plan, and it would be kept while the table grows."""
    with borrowed() as connection:
        assert not reads_whole(plan_of(connection, OF_A_STEP[name]))


def reads_whole(plan: str) -> list[str]:
    """Return what reads every row of a table: joins that sort or hash do, and an index that is asked for nothing.

    There are few teams; and some indexes hold no more than is meant: switches that are thrown, runs that are driven.
    """
    nodes = plan.splitlines()
    scans = [
        node
        for node, below in pairwise([*nodes, ""])
        if re.search(r"Index (Only )?Scan ", node) and "Index Cond" not in below
    ]
    joins = [node for node in nodes if re.search(r"Seq Scan|Merge Join|Hash Join", node)]
    few = ("kill_switch_thrown_once", "run_leased", "identities_team_pkey")
    return [node for node in [*joins, *scans] if not any(index in node for index in few)]


@pytest.mark.parametrize("name", OF_A_STEP)
def test_no_statement_of_a_step_asks_whether_a_table_has_a_row(name: str) -> None:
    """PostgreSQL may answer by a table of all rows, made for each append: it depends on how many it expects."""
    assert not asks_tables(OF_A_STEP[name])


def asks_tables(statement: str) -> list[str]:
    """Return the conditions of the kinds that may be hashed whose rows are not the statement's own."""
    own = re.findall(r"(\w+) AS (?:MATERIALIZED )?\(", statement)
    asked = re.findall(r"(?:EXISTS|\bIN) \(\s*SELECT\b[^()]*?\bFROM (\w+)", statement)
    return [table for table in asked if table not in own]


def test_a_key_is_not_looked_for_in_a_table_of_all_keys() -> None:
    key = "(SELECT f.key FROM tools_effectrecord f WHERE f.key = n.key) IS NOT NULL"
    said = APPENDS[ALL].sql
    assert said.count(key) == 1
    asked = said.replace(key, "EXISTS (SELECT FROM tools_effectrecord f WHERE f.key = n.key)")
    assert asks_tables(asked) == ["tools_effectrecord"]


def test_without_the_pool_s_options_the_append_would_read_a_table_whole() -> None:
    with borrowed() as connection, connection.transaction(force_rollback=True):
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            connection.execute(f"SET LOCAL {setting} = on".encode())
        assert reads_whole(plan_of(connection, APPENDS[ALL].sql))


def test_a_write_takes_the_parts_that_it_needs(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that has to be compared is left out, and nothing is made ready that there is no need for."""
    taken: list[Parts] = []
    rows = Prepared.rows

    def note(statement: Prepared, *arguments: Any) -> list[tuple[Any, ...]]:  # Any: rows' own
        taken.extend(parts for parts, each in APPENDS.items() if each is statement)
        return rows(statement, *arguments)

    monkeypatch.setattr(Prepared, "rows", note)
    company.add_reads()
    company.run(proposes(("look_up", ORDER)), says("Done."))

    none = Parts(draws=False, asks=False, attempts=False, notices=False)
    asking, attempting, ending = (
        none._replace(asks=True),
        none._replace(attempts=True),
        none._replace(notices=True),
    )
    assert taken == [asking, attempting, asking, ending], "\n".join(map(str, taken))
