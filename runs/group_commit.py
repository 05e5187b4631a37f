"""Group commit: what several runs of this process append at the same time is one statement and one commit.

While a statement is under way, or other drivers are at work that will append too, others gather behind it; whoever
is first among them writes for all. Where nobody else is at work it writes at once. What that statement leaves open
(a run that somebody has locked, a bad write) its owner writes alone, and keeps nobody. An append of a group costs
PostgreSQL a third of what it costs alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from psycopg.errors import LockNotAvailable

from agentops.database import JournalConnection, borrowed
from runs import journal, slots
from runs.journal import LEASE_LOST, Appended, Document, Write

logger = logging.getLogger(__name__)

MOST = 32  # more do not pay
# How long a leader waits for drivers at work: what takes longer is no computing.
PATIENCE_S = 0.02


@dataclass(eq=False, slots=True)
class Ticket:
    """One append that waits: for its result, or to write for those who wait with it."""

    run: UUID
    document: Document
    result: Appended | None = None
    leads: bool = False
    gathered: bool = False  # somebody writes it, and admits it to a slot afterwards
    admitted: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)
    place: slots.Place = field(default_factory=slots.own_place)


class GroupCommit:
    """The appends of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Ticket] = []
        self._busy = False
        self._host: Ticket | None = None
        slots.when_nobody_is(self._begin_now)

    def append(self, write: Write) -> Appended:
        """Append, together with what else is waiting; raises what the statement raises for this write."""
        ticket = Ticket(write.run, journal.encode(write))
        self._take_part(ticket)
        if ticket.result is None:  # locked, lost, or of a statement that failed: its owner finds out
            ticket.result = _write_patiently(write, ticket.document)
        return ticket.result

    def _take_part(self, ticket: Ticket) -> None:
        """Be written by somebody else, or write for all who wait; queue up before the slot is left to others."""
        self._enter(ticket)
        slots.leave()
        try:
            if not ticket.leads:
                ticket.turn.acquire()
            if ticket.leads:
                self._lead(ticket)
        except BaseException:
            self._withdraw(ticket)
            raise
        finally:
            if not ticket.admitted:
                slots.enter()

    def _enter(self, ticket: Ticket) -> None:
        """Lead if nobody is writing; otherwise wait for a turn."""
        ticket.turn.acquire()
        with self._lock:
            if self._busy:
                self._waiting.append(ticket)
            else:
                self._busy = ticket.leads = True
            if self._is_full():
                self._call_in()

    def _is_full(self) -> bool:
        return len(self._waiting) + 1 >= MOST

    def _withdraw(self, ticket: Ticket) -> None:
        """Wait no more; whoever was to lead lets the next one, whoever is being written has to see that through."""
        with self._lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        if ticket.leads:
            self._pass_on()
        if ticket.gathered and not ticket.admitted:
            ticket.turn.acquire()

    def _lead(self, ticket: Ticket) -> None:
        group = [ticket]
        try:
            self._await_company(ticket)
            group = self._gather(ticket)
            _write(group)
        finally:
            ticket.leads = False
            self._pass_on()
            for other in group[1:]:
                other.admitted = True
                slots.admit(other.turn, other.place)

    def _await_company(self, ticket: Ticket) -> None:
        """Wait as long as others are at work, who may append too; nobody who is idle is waited for."""
        with self._lock:
            if self._is_full() or not slots.is_at_work():
                return
            self._host = ticket
        ticket.turn.acquire(timeout=PATIENCE_S)
        with self._lock:
            self._host = None

    def _begin_now(self) -> None:
        with self._lock:
            self._call_in()

    def _call_in(self) -> None:
        """Let the leader begin who waits for company; the caller holds the lock."""
        if self._host is not None:
            self._host.turn.release()
            self._host = None

    def _gather(self, ticket: Ticket) -> list[Ticket]:
        """Take who is waiting; of one run, which may have changed hands within this process, only one append."""
        with self._lock:
            group = {ticket.run: ticket}
            for other in self._waiting:
                if len(group) < MOST:
                    group.setdefault(other.run, other)
            members = list(group.values())
            for other in members[1:]:
                other.gathered = True
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
    """Write a group in one statement; what it leaves open has no result."""
    try:
        with borrowed() as connection:
            found = _append_all(connection, group)
    except LockNotAvailable:  # a draw waits for somebody who is slow, or stands still: all others need not
        if others := [ticket for ticket in group if ticket.document.draw is None]:
            _write(others)
        return
    except psycopg.Error as error:  # one of them is at fault, or the connection
        logger.warning("an append of %s runs failed, each tries alone: %s", len(group), error)
        return
    for ticket in group:
        ticket.result = _of_its_own(found.get(ticket.run), group)


def _append_all(connection: JournalConnection, group: Sequence[Ticket]) -> dict[UUID, Appended]:
    """Append for a group, with the windows of what it draws locked before; nobody is waited for but for those."""
    documents = [ticket.document for ticket in group]
    draws = {ticket.run: ticket.document.draw for ticket in group if ticket.document.draw is not None}
    return journal.append_group(connection, documents, draws)


def _of_its_own(result: Appended | None, group: Sequence[Ticket]) -> Appended | None:
    """Leave open what has to be waited for, and a shortage of all together: for one of them there may be enough."""
    if result is None or result.word == "window_locked" or (result.word == "budget_short" and len(group) > 1):
        return None
    return result


def _write_patiently(write: Write, document: Document) -> Appended:
    """Wait for all that somebody else has locked, and write then."""
    with slots.waiting_outside(), borrowed() as connection, connection.transaction():
        with connection.cursor() as cursor:
            journal.lock(cursor, write)
        return journal.append_documents(connection, [document]).get(write.run, LEASE_LOST)


_group = GroupCommit()
append = _group.append
