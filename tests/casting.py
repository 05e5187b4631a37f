"""The cast in each test's database, and what is made of it: made once in a process, written again as rows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import sql
from pytest_django import DjangoDbBlocker

from identities.models import ChangeRule
from tests.cast import Cast, make_cast

T = TypeVar("T")

INSERTED = re.compile(r'INSERT INTO ("?\w+"?)')
ROWS = "SELECT json_agg(r) FROM {} r"
INSERT = (
    "INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, {rows}) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True)
class Rehearsal(Generic[T]):
    """What was made, and the statements that write its rows again."""

    made: T
    statements: str


def rehearse(make: Callable[[], T], *, after: str = "") -> Rehearsal[T]:
    """Make something in a transaction that is rolled back, and remember what it wrote, to tables that were empty.

    Sequences give no number out twice, rolled back or not: its rows can keep theirs.
    """
    with transaction.atomic():
        write(after)
        with CaptureQueriesContext(connection) as captured:
            made = make()
        tables = dict.fromkeys(INSERTED.findall("\n".join(query["sql"] for query in captured)))
        statements = [_insertion(table) for table in tables]
        transaction.set_rollback(True)
    return Rehearsal(made, "; ".join(statements))


def write(statements: str) -> None:
    """Write rehearsed rows, all in one round trip."""
    with connection.cursor() as cursor:
        cursor.execute(statements)


def _insertion(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(ROWS.format(table))
        rows = json.dumps(cursor.fetchone()[0])
    return INSERT.format(table=table, rows=sql.quote(rows))


@pytest.fixture(scope="session")
def casting(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Rehearsal[Cast]:
    """Rehearse once: to make the cast row by row takes longer than most tests."""
    with django_db_blocker.unblock():
        rehearsed = rehearse(make_cast)
        connection.close()
    return rehearsed


@pytest.fixture
def cast(db: None, casting: Rehearsal[Cast]) -> Cast:
    """Provide the cast in this test's database, with objects that the test may change."""
    write(casting.statements)
    return deepcopy(casting.made)


@pytest.fixture
def governed(cast: Cast) -> Cast:
    """Provide the cast without the rules by which one person is enough; taking them away tightens."""
    for rule in ChangeRule.objects.all():
        rule.needs = "two_to_loosen"
        rule.save()
    return cast
