"""One entry for each of many streams, as if each had been written by itself."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger import many
from agentops.ledger.entries import GENESIS, Draft, Head
from agentops.ledger.many import record_many
from agentops.ledger.store import record
from agentops.ledger.verification import verify_streams
from tests.ledger import entries_of, kinds_of

pytestmark = pytest.mark.django_db


def draft(kind: str = "thing.done") -> Draft:
    return Draft(kind, timezone.now(), {"n": 1}, {"words": "Élan"})


def test_new_streams_are_opened_and_known_ones_continued() -> None:
    known, new = new_id(), new_id()
    with transaction.atomic():
        record(known, "thing", draft("thing.made"))
        record_many("thing", {known: draft(), new: draft()})
    assert (kinds_of(known), kinds_of(new)) == (["thing.made", "thing.done"], ["thing.done"])
    assert entries_of(new)[0].content == {"words": "Élan"}
    with connection.cursor() as cursor:
        report = verify_streams(cursor, [known, new])
    assert (report.ok, report.entries) == (True, 3)


def test_statements_do_not_grow_with_the_streams() -> None:
    def count(streams: int) -> int:
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            record_many("thing", {new_id(): draft() for _ in range(streams)})
        return len(captured)

    assert count(1) == count(40)
    assert count(0) <= 2


def test_a_stream_that_moved_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, other = new_id(), new_id()
    with transaction.atomic():
        record(stream, "thing", draft())
    stale = {stream: Head(0, GENESIS), other: Head(0, GENESIS)}
    monkeypatch.setattr(many, "_lock_heads", lambda *_: stale)
    with pytest.raises(StateConflict, match="head_moved"), transaction.atomic():
        record_many("thing", {stream: draft(), other: draft()})
    assert (len(kinds_of(stream)), kinds_of(other)) == (1, [])


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_written_with_its_act() -> None:
    with pytest.raises(TransactionManagementError):
        record_many("thing", {new_id(): draft()})
