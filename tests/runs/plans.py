"""What PostgreSQL would do, asked where it cannot do better: among few rows it takes whichever index it likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import sql

from tests.ledger.forging import as_owner

_OTHERS = """
SELECT indexname FROM pg_indexes WHERE tablename = %s AND indexname NOT IN (%s || '_pkey', %s)
"""
# An index of a constraint goes with it.
_CONSTRAINTS = "SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'u'"


def explain_with_only(index: str, table: str, statement: str, asked: Mapping[str, Any]) -> str:
    """Return the plan of a statement on a table that has, for that moment, no index but this one and its key."""
    with as_owner(triggers=True) as owner:
        for (name,) in owner.execute(_CONSTRAINTS, (table,)).fetchall():
            drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {} CASCADE")
            owner.execute(drop.format(sql.Identifier(table), sql.Identifier(name)))
        for (name,) in owner.execute(_OTHERS, (table, table, index)).fetchall():
            owner.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        owner.execute("SET LOCAL enable_seqscan = off")
        lines = owner.execute(f"EXPLAIN {statement}".encode(), asked).fetchall()
        owner.rollback()
    return "\n".join(line for (line,) in lines)
