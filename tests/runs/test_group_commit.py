"""Group commit: runs that append at the same time share a statement, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.identifiers import new_id
from runs import group_commit, journal, lease_rows, slots
from runs.append_statements import Parts
from runs.draws import Draw
from runs.group_commit import GroupCommit, Ticket
from runs.interruptions import HeadMoved, LeaseLost
from runs.journal import Appended, Document
from runs.models import Run
from runs.session import Session, open_session
from runs.slots import Slots
from tests.runs.company import Company

Statement = Callable[..., dict[UUID, Appended]]
SIZE = 5
WAIT_S = 20.0


class Table:
    """Where appends gather: the first statement waits until all others are queued behind it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, guests: int = SIZE) -> None:
        self.group = GroupCommit()
        self.sizes: list[int] = []
        self._guests = guests
        self.statement: Statement = journal.append_documents
        self._drawing: Statement = journal.append_group
        monkeypatch.setattr(group_commit, "append", self.group.append)
        monkeypatch.setattr(journal, "append_documents", self._append)
        monkeypatch.setattr(journal, "append_group", self._append)

    def _append(
        self,
        connection: psycopg.Connection[Any],
        documents: Sequence[Document],
        drawing: Mapping[UUID, Draw] | None = None,
    ) -> dict[UUID, Appended]:
        self.sizes.append(len(documents))
        if len(self.sizes) == 1:
            wait_until(lambda: len(self.group._waiting) == self._guests - 1)
        if drawing:
            return self._drawing(connection, documents, drawing)
        return self.statement(connection, documents)

    def commit_all(self, sessions: Sequence[Session]) -> list[BaseException | None]:
        """Commit in one thread each, the first one first; return what each raised."""
        with ThreadPoolExecutor(len(sessions)) as pool:
            first = pool.submit(commit, sessions[0])
            wait_until(lambda: bool(self.sizes))
            rest = [pool.submit(commit, session) for session in sessions[1:]]
            return [done.result() for done in (first, *rest)]


def commit(session: Session) -> BaseException | None:
    """Commit; return what that raised."""
    try:
        session.commit()
    except Exception as error:
        return error
    return None


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lease(run: Run) -> Session:
    """Lease a run and open it, as a driver does."""
    with borrowed() as connection, connection.cursor() as cursor:
        taken = lease_rows.take_lease(cursor, run.pk, owner="tests:1", lease_s=60)
    assert taken is not None
    epoch, due_at, context = taken
    return open_session(context, epoch, due_at)


def take(run: Run) -> Session:
    """Lease a run, and give it something to write."""
    session = lease(run)
    session.note(e.AUTHORITY_LOST, {"code": "agent_suspended"})
    return session


@pytest.fixture
def sessions(company: Company) -> list[Session]:
    company.add_reads()
    company.publish()
    return [take(company.start()) for _ in range(SIZE)]


def written(company: Company, sessions: Sequence[Session]) -> list[bool]:
    runs = [Run.objects.get(pk=session.context.run_id) for session in sessions]
    return [company.kinds(run)[-1] == e.AUTHORITY_LOST for run in runs]


def test_who_comes_during_a_statement_shares_the_next(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(monkeypatch)
    assert table.commit_all(sessions) == [None] * SIZE
    assert (table.sizes, written(company, sessions)) == ([1, SIZE - 1], [True] * SIZE)


def test_a_group_is_bounded(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST", 2)
    table = Table(monkeypatch)
    assert table.commit_all(sessions) == [None] * SIZE
    assert (table.sizes, written(company, sessions)) == ([1, 2, 2], [True] * SIZE)


def test_one_bad_write_fails_alone(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL takes no NUL in facts: the statement fails, and all of the group go on one by one."""
    table, bad = Table(monkeypatch), sessions[-1]
    bad.pending.clear()
    bad.state = bad.state._replace(seq=bad.state.seq - 1)
    bad.note(e.AUTHORITY_LOST, {"code": "\0"})
    results = table.commit_all(sessions)
    assert [type(result) for result in results[:-1]] == [type(None)] * (SIZE - 1)
    assert isinstance(results[-1], psycopg.errors.DataError)
    assert written(company, sessions) == [True] * (SIZE - 1) + [False]
    assert table.sizes == [1, SIZE - 1] + [1] * (SIZE - 1)


def test_a_stale_head_and_a_lost_lease_are_told_to_whom_they_concern(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(monkeypatch)
    stale, lost = sessions[1], sessions[2]
    stale.head = type(stale.head)(stale.head.seq, bytes(32))
    Run.objects.filter(pk=lost.context.run_id).update(lease_epoch=9)
    results = table.commit_all(sessions)
    assert [type(result) for result in results] == [type(None), HeadMoved, LeaseLost, type(None), type(None)]
    assert written(company, sessions) == [True, False, False, True, True]


@pytest.mark.parametrize("place", [0, SIZE - 1])
def test_nobody_waits_for_a_run_that_somebody_has_locked(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """Whether it leads or follows: the locked one waits alone, and is written as soon as it is free."""
    table, locked = Table(monkeypatch), sessions[place]
    others = [session for session in sessions if session is not locked]
    with borrowed() as other, ThreadPoolExecutor(1) as pool:
        with other.transaction():
            other.execute("SELECT FROM runs_run WHERE id = %s FOR UPDATE", (locked.context.run_id,))
            results = pool.submit(table.commit_all, sessions)
            wait_until(lambda: not any(session.pending for session in others))
            assert locked.pending
        assert results.result(WAIT_S) == [None] * SIZE
    assert written(company, sessions) == [True] * SIZE


def test_two_drivers_of_one_run_never_share_a_statement(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them was taken over within this process: it must not take the other's success for its own."""
    table = Table(monkeypatch)
    Run.objects.filter(pk=sessions[1].context.run_id).update(lease_until=None)
    heir = take(Run.objects.get(pk=sessions[1].context.run_id))
    results = table.commit_all([sessions[0], sessions[1], heir, *sessions[3:]])
    assert [type(result) for result in results] == [type(None), LeaseLost, *[type(None)] * 3]


def test_a_group_whose_answer_is_lost_finds_itself_written(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(monkeypatch)
    statement = table.statement

    def break_off(connection: psycopg.Connection[Any], documents: Sequence[Document]) -> dict[UUID, Appended]:
        found = statement(connection, documents)
        if len(documents) > 1:
            raise psycopg.OperationalError("the connection is lost")
        return found

    table.statement = break_off
    results = table.commit_all(sessions)
    assert sorted(type(result).__name__ for result in results) == ["HeadMoved"] * (SIZE - 1) + ["NoneType"]
    for session in sessions:
        session.rewind()
        assert session.pending == []
    assert written(company, sessions) == [True] * SIZE


def test_an_error_beyond_the_database_is_the_leader_s_alone(
    company: Company, sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(monkeypatch)
    statement = table.statement

    def fail(*arguments: Any) -> dict[UUID, Appended]:
        if len(arguments[1]) > 1:
            raise MemoryError
        return statement(*arguments)

    table.statement = fail
    results = table.commit_all(sessions)
    assert sorted(type(result).__name__ for result in results) == ["MemoryError", *["NoneType"] * (SIZE - 1)]
    assert sum(written(company, sessions)) == SIZE - 1
    assert not table.group._busy


class Broken:
    """A turn that is interrupted while it is waited for; ``before`` is what happens just before that."""

    def __init__(self, before: Callable[[], object]) -> None:
        self._before: list[Callable[[], object]] = [lambda: None, before]

    def acquire(self) -> None:
        happen = self._before.pop(0)
        happen()
        if not self._before:
            raise KeyboardInterrupt

    def release(self) -> None:
        pass


@pytest.mark.parametrize("appointed", [False, True])
def test_who_is_interrupted_while_waiting_stops_nobody(appointed: bool) -> None:
    group = GroupCommit()
    group._busy = True
    turn: Any = Broken(group._pass_on if appointed else lambda: None)  # Any: a stand-in for a lock
    ticket = Ticket(new_id(), Document("{}", None, Parts(False, False, False, False)), turn=turn)
    with pytest.raises(KeyboardInterrupt):
        group._take_part(ticket)
    assert (group._waiting, group._busy) == ([], not appointed), "the leader of before still writes"


class Torn:
    """A turn whose waiter is interrupted at a moment, and then waits again."""

    def __init__(self, moment: Callable[[], bool]) -> None:
        self._lock, self._moment, self.times = threading.Lock(), moment, 0

    def acquire(self) -> None:
        self.times += 1
        if self.times == 2:
            wait_until(self._moment)
            raise KeyboardInterrupt
        assert self._lock.acquire(timeout=WAIT_S)

    def release(self) -> None:
        self._lock.release()


def test_who_is_interrupted_while_being_written_takes_up_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot given to somebody who has left is gone for good, and with the last one the process stands still."""
    company = Slots(1)
    for verb in ("enter", "admit", "leave", "is_at_work"):
        monkeypatch.setattr(slots, verb, getattr(company, verb))
    group, leader = (
        GroupCommit(),
        Ticket(new_id(), Document("{}", None, Parts(False, False, False, False)), leads=True),
    )
    turn: Any = Torn(lambda: ticket.gathered)  # Any: a stand-in for a lock
    ticket = Ticket(new_id(), Document("{}", None, Parts(False, False, False, False)), turn=turn)

    def write(*arguments: Any) -> dict[UUID, Appended]:
        wait_until(lambda: turn.times == 3)
        return {}

    def lead() -> None:
        wait_until(lambda: ticket in group._waiting)
        group._lead(leader)

    monkeypatch.setattr(journal, "append_documents", write)
    group._busy = True
    company.enter(slots.take_place())
    with ThreadPoolExecutor(1) as pool:
        led = pool.submit(lead)
        with pytest.raises(KeyboardInterrupt):
            group._take_part(ticket)
        led.result(WAIT_S)
    company.leave()
    assert (company._free, group._busy) == (1, False)


# --- company ------------------------------------------------------------------------------------------------


class Sizes:
    """How many runs each statement wrote for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self._statement: Statement = journal.append_documents
        monkeypatch.setattr(group_commit, "append", GroupCommit().append)
        monkeypatch.setattr(journal, "append_documents", self._append)

    def _append(
        self, connection: psycopg.Connection[Any], documents: Sequence[Document]
    ) -> dict[UUID, Appended]:
        self.sizes.append(len(documents))
        return self._statement(connection, documents)


def commit_beside_a_driver_at_work(sessions: Sequence[Session]) -> None:
    """Commit one session while the driver of another is at work, who appends too, but later."""
    at_work, first_appends = threading.Event(), threading.Event()

    def work() -> None:
        with slots.slot():
            at_work.set()
            assert first_appends.wait(WAIT_S)
            time.sleep(0.05)
            sessions[1].commit()

    def append_first() -> None:
        with slots.slot():
            assert at_work.wait(WAIT_S)
            first_appends.set()
            sessions[0].commit()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work), pool.submit(append_first)]:
            done.result(WAIT_S)


def check_company_is_waited_for(sessions: Sequence[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", WAIT_S)
    table = Sizes(monkeypatch)
    commit_beside_a_driver_at_work(sessions)
    assert table.sizes == [2]


def test_who_appends_waits_for_drivers_at_work(
    sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    check_company_is_waited_for(sessions, monkeypatch)


def test_without_a_look_at_who_is_at_work_each_writes_alone(
    sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    monkeypatch.setattr(slots, "is_at_work", lambda: False)
    with pytest.raises(AssertionError):
        check_company_is_waited_for(sessions, monkeypatch)


def test_who_is_alone_waits_for_nobody(sessions: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", 60.0)
    table = Sizes(monkeypatch)
    with slots.slot():
        for session in sessions:
            session.commit()
    assert table.sizes == [1] * SIZE


def test_who_is_at_work_for_long_is_not_waited_for(
    sessions: list[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Sizes(monkeypatch)
    ended, at_work = threading.Event(), threading.Event()

    def work() -> None:
        with slots.slot():
            at_work.set()
            assert ended.wait(WAIT_S)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        assert at_work.wait(WAIT_S)
        with slots.slot():
            sessions[0].commit()
        ended.set()
        done.result(WAIT_S)
    assert table.sizes == [1]


def test_a_full_group_waits_for_nobody(sessions: list[Session], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_S", 60.0)
    monkeypatch.setattr(group_commit, "MOST", 1)
    table = Sizes(monkeypatch)
    monkeypatch.setattr(slots, "is_at_work", lambda: True)
    with slots.slot():
        sessions[0].commit()
    assert table.sizes == [1]
