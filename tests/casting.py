"""The cast in each test's database: made once in a process, written again as the rows that it was."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql
from pytest_django import DjangoDbBlocker

from tests.cast import Cast, make_cast

INSERTED = re.compile(r'INSERT INTO ("\w+")')
ROWS = "SELECT json_agg(r) FROM {} r"
INSERT = "INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, {rows})"


@dataclass(frozen=True)
class Casting:
    """The cast as it was made, and the statements that write its rows again."""

    cast: Cast
    statements: str


def rehearse() -> Casting:
    """Make the cast in a transaction that is rolled back, and remember what it wrote.

    Sequences give no number out twice, rolled back or not: its rows can keep theirs.
    """
    with transaction.atomic(), CaptureQueriesContext(connection) as captured:
        made = make_cast()
        tables = dict.fromkeys(INSERTED.findall("\n".join(query["sql"] for query in captured)))
        statements = [_insertion(table) for table in tables]
        transaction.set_rollback(True)
    return Casting(made, "; ".join(statements))


def _insertion(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(table))
        rows = json.dumps(cursor.fetchone()[0])
    return INSERT.format(table=table, rows=sql.quote(rows))


@pytest.fixture(scope="session")
def casting(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Casting:
    """Rehearse once: to make the cast row by row takes longer than most tests."""
    with django_db_blocker.unblock():
        rehearsed = rehearse()
        connection.close()
    return rehearsed


@pytest.fixture
def cast(db: None, casting: Casting) -> Cast:
    """Provide the cast in this test's database, with objects that the test may change."""
    with connection.cursor() as cursor:
        cursor.execute(casting.statements)
    return deepcopy(casting.cast)
