"""Group commit: what several runs of this process append at the same time is one statement and one commit.

While a statement is under way, others gather behind it; whoever is first among them writes for all. A run
that is alone waits for nobody. An append of a group costs PostgreSQL a third of what it costs alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Error

from agentops.database import borrowed
from runs import journal
from runs.journal import Appended, Write
from runs.slots import waiting_outside

MOST = 16  # more do not pay


@dataclass(eq=False, slots=True)
class Ticket:
    """One append that waits: for its result, or to write for those who wait with it."""

    run: UUID
    document: str
    result: Appended | None = None
    error: BaseException | None = None
    leads: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


class GroupCommit:
    """The appends of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._busy = False

    def append(self, write: Write) -> Appended:
        """Append, together with what else is waiting; raises what the statement raises for this write."""
        ticket = Ticket(write.run, journal.encode(write))
        with waiting_outside():
            if not self._enter(ticket):
                ticket.turn.acquire()
            if ticket.leads:
                self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result or "lease_lost"

    def _enter(self, ticket: Ticket) -> bool:
        """Lead at once if nobody is writing; otherwise wait for a turn."""
        with self._lock:
            if self._busy:
                ticket.turn.acquire()
                self._waiting.append(ticket)
                return False
            self._busy = ticket.leads = True
            return True

    def _lead(self, ticket: Ticket) -> None:
        group = self._gather(ticket)
        try:
            _write(group)
        except BaseException as error:
            for each in group:
                each.error = each.error or error
        self._pass_on()
        for other in group[1:]:
            other.turn.release()

    def _gather(self, ticket: Ticket) -> list[Ticket]:
        """Take who is waiting; of one run, which may have changed hands within this process, only one append."""
        with self._lock:
            group = {ticket.run: ticket}
            for other in self._waiting:
                if len(group) < MOST:
                    group.setdefault(other.run, other)
            members = list(group.values())
            self._waiting = [other for other in self._waiting if group.get(other.run) is not other]
            return members

    def _pass_on(self) -> None:
        """Let the first of those who came meanwhile write."""
        with self._lock:
            self._busy = bool(self._waiting)
            if self._busy:
                heir = self._waiting.pop(0)
                heir.leads = True
                heir.turn.release()


def _write(group: Sequence[Ticket]) -> None:
    """Write a group in one statement; what that does not settle, one by one."""
    if len(group) > 1:
        try:
            with borrowed() as connection:
                found = journal.append_documents(
                    connection, [ticket.document for ticket in group], patient=False
                )
        except Error:  # one of them is at fault, or the connection: each finds out for itself
            found = {}
        for ticket in group:
            ticket.result = found.get(ticket.run)
    for ticket in group:
        if ticket.result is None:
            _write_alone(ticket)


def _write_alone(ticket: Ticket) -> None:
    try:
        with borrowed() as connection:
            found = journal.append_documents(connection, [ticket.document])
            ticket.result = found.get(ticket.run, "lease_lost")
    except BaseException as error:  # its owner's to handle, in its owner's thread
        ticket.error = error


_group = GroupCommit()
append = _group.append
