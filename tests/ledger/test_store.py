from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import IntegrityError, connection, transaction

from agentops.errors import NotFound, StateConflict
from agentops.identifiers import new_id
from agentops.ledger import store
from agentops.ledger.entries import Draft, Head
from agentops.ledger.store import (
    append,
    erase_contents,
    open_stream,
    read_contents,
    read_entries,
    read_head,
    record,
)
from tests.ledger.forging import AT, faults, write_stream

pytestmark = pytest.mark.django_db(transaction=True)


def run_together(*work: Callable[[], None]) -> list[BaseException]:
    """Run in threads that start at the same moment; return what they raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(work))

    def body(job: Callable[[], None]) -> None:
        try:
            barrier.wait(20)
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=body, args=(job,)) for job in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_what_is_recorded_is_read() -> None:
    stream = write_stream(3)
    with connection.cursor() as cursor:
        entries = read_entries(cursor, stream, contents=True)
        assert [(entry.seq, entry.kind, entry.facts, entry.content) for entry in entries] == [
            (n, "order.noted", {"number": n}, {"text": f"words {n}"}) for n in (1, 2, 3)
        ]
        assert {entry.actor for entry in entries} == {stream}
        assert [entry.seq for entry in read_entries(cursor, stream, after=1, limit=1)] == [2]
        assert {entry.content for entry in read_entries(cursor, stream)} == {None}
        assert read_contents(cursor, stream, [2, 9]) == {2: {"text": "words 2"}}
        assert read_head(cursor, stream).seq == 3


def test_an_unknown_stream_has_no_head() -> None:
    with connection.cursor() as cursor, pytest.raises(NotFound):
        read_head(cursor, new_id())


def test_an_entry_is_written_in_the_transaction_of_its_act() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        record(new_id(), "test", Draft("a", AT))


def test_an_act_that_is_undone_leaves_no_entry() -> None:
    stream = new_id()
    with transaction.atomic():
        record(stream, "test", Draft("a", AT))
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        assert read_entries(cursor, stream) == []


def test_an_append_names_the_head_that_it_expects() -> None:
    stream = write_stream(2)
    with connection.cursor() as cursor:
        head = read_head(cursor, stream)
        for wrong in (Head(1, head.hash), Head(3, head.hash), Head(2, bytes(32)), Head()):
            with pytest.raises(StateConflict):
                append(cursor, stream, wrong, [Draft("a", AT)])
        assert append(cursor, stream, head, [Draft("a", AT), Draft("b", AT)]).seq == 4
        assert len(read_entries(cursor, stream)) == 4


def test_two_writers_with_the_same_head_race_and_one_wins() -> None:
    stream = write_stream(1)
    with connection.cursor() as cursor:
        head = read_head(cursor, stream)

    def write() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            append(cursor, stream, head, [Draft("a", AT)])

    errors = run_together(*[write] * 8)
    assert [type(error) for error in errors] == [StateConflict] * 7
    with connection.cursor() as cursor:
        assert len(read_entries(cursor, stream)) == 2
    assert faults() == []


def test_writers_that_wait_for_the_head_all_get_their_turn() -> None:
    stream = new_id()

    def write() -> None:
        for number in range(5):
            with transaction.atomic():
                record(stream, "test", Draft("a", AT, {"n": number}))

    assert run_together(*[write] * 8) == []
    with connection.cursor() as cursor:
        assert [entry.seq for entry in read_entries(cursor, stream)] == list(range(1, 41))
    assert faults() == []


def test_without_the_expected_head_a_writer_overwrites_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: an append that does not compare the head. The primary key still refuses the second one."""
    unfenced = store.APPEND.replace("AND head_seq = %(from_seq)s AND head_hash = %(from_hash)s", "")
    monkeypatch.setattr(store, "APPEND", unfenced)
    stream = write_stream(2)
    with connection.cursor() as cursor:
        head = read_head(cursor, stream)
        append(cursor, stream, head, [Draft("a", AT)])
        with pytest.raises(IntegrityError):
            append(cursor, stream, head, [Draft("b", AT), Draft("c", AT)])
        append(cursor, stream, Head(9, bytes(32)), [Draft("d", AT)])
    assert faults() == [(stream, 4, "missing")], "and what it did write is found"


def test_a_stream_is_opened_once() -> None:
    stream = write_stream(2)
    with connection.cursor() as cursor:
        open_stream(cursor, stream, "another")
        assert read_head(cursor, stream).seq == 2


def test_erasing_takes_the_words_and_leaves_the_chain() -> None:
    stream, other = write_stream(3), write_stream(2)
    with connection.cursor() as cursor:
        assert erase_contents(cursor, stream) == 3
        assert erase_contents(cursor, stream) == 0
        assert read_contents(cursor, stream, [1, 2, 3]) == {}
        assert len(read_contents(cursor, other, [1, 2])) == 2
        cursor.execute("SELECT count(*) FROM ledger_entry WHERE stream = %s AND salt IS NOT NULL", [stream])
        assert cursor.fetchone() == (0,)
    assert faults() == []
