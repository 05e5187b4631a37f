"""What stands or falls with an append: guards, and the transaction that they share with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from agentops.database import borrowed
from agentops.ledger.store import Cursor
from runs import journal
from runs.interruptions import GuardRefused
from runs.journal import Appended, Write
from runs.slots import waiting_outside

# A guard does something that must stand or fall with the append; False undoes the whole transaction.
Guard = Callable[[Cursor], bool]


@dataclass(frozen=True, slots=True)
class CapDemand:
    """A guard that locks the caps of one tool."""

    tool_id: UUID
    perform: Guard

    def __call__(self, cursor: Cursor) -> bool:
        return self.perform(cursor)


def in_lock_order(guards: Sequence[Guard]) -> list[Guard]:
    """Return caps first, by tool: two runs of one agent must not wait for each other in a circle."""
    return sorted(guards, key=lambda each: (0, str(each.tool_id)) if isinstance(each, CapDemand) else (1, ""))


def append_guarded(write: Write, guards: Sequence[Guard]) -> Appended:
    """Append in a transaction of its own, which is undone where a guard says no, or nothing was appended."""
    with waiting_outside(), borrowed() as connection, connection.transaction() as transaction:
        with connection.cursor() as cursor:
            result = append_with(connection, cursor, write, guards)
        if result.word != "appended":
            raise psycopg.Rollback(transaction)
    return result


def append_with(
    connection: psycopg.Connection[Any], cursor: Cursor, write: Write, guards: Sequence[Guard]
) -> Appended:
    """Append in the caller's transaction, which is to be undone unless that succeeds; raises GuardRefused.

    Whatever may be waited for comes first: what the call rests on is compared with how it stands after that.
    """
    journal.lock(cursor, write)
    if not all(guard(cursor) for guard in guards):
        raise GuardRefused("guard_refused", "what the call needs was taken meanwhile")
    return journal.append(connection, write)
