"""Connections outside the ORM."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from django.db import connection

from agentops.database import borrowed, discard_broken

SERVED_BY = "SELECT pg_backend_pid()"


def served_by() -> int:
    with borrowed() as lent:
        return int(lent.execute(SERVED_BY).fetchall()[0][0])


@pytest.mark.django_db(transaction=True)
def test_idle_connections_that_were_broken_are_not_lent_again() -> None:
    with ExitStack() as stack:
        lent = [stack.enter_context(borrowed()) for _ in range(3)]
        idle = [int(each.execute(SERVED_BY).fetchall()[0][0]) for each in lent]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s) AS pid", [idle])

    discard_broken()
    assert {served_by() for _ in idle}.isdisjoint(idle)
