"""The journal's statements: their plans are made once, when the tables may still be empty."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize(
    "statement",
    [
        *(statement.sql for statement in APPENDS.values()),
        numbered(lease_rows._LEASE, "owner", "lease_s", "run"),
        standing._STANDING_OF_READ.sql,
        standing._STANDING_OF_WRITE.sql,
    ],
    ids=[
        *(
            "append" + "".join(f" {name}" for name, is_in in parts._asdict().items() if is_in)
            for parts in APPENDS
        ),
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
    """Look for what reads every row of a table or an index: joins that sort or hash do too, and a table of all keys."""
    hashed = re.findall(r"hashed SubPlan (\d+)", plan)
    tables = [re.search(rf"SubPlan {number}\n\s+->  (?!CTE Scan)", plan) for number in hashed]
    return any(node in plan for node in ("Seq Scan", "Merge Join", "Hash Join")) or any(tables)


def test_a_key_is_not_looked_for_in_a_table_of_all_keys() -> None:
    """Where PostgreSQL may choose, and expects few rows, it would read every key for each append."""
    key = "(SELECT f.key FROM tools_effectrecord f WHERE f.key = n.key) IS NOT NULL"
    said = APPENDS[ALL].sql
    with borrowed() as connection:
        assert said.count(key) == 1
        asked = said.replace(key, "EXISTS (SELECT FROM tools_effectrecord f WHERE f.key = n.key)")
        assert reads_whole(plan_of(connection, asked))


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
