from __future__ import annotations

import json
from io import StringIO
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import sql

from agentops.identifiers import new_id
from agentops.ledger import verification
from agentops.ledger.entries import GENESIS, Draft, Head, SealedEntry, chain_hash, seal
from tests.ledger.forging import AT, as_owner, faults, verify, write_stream

pytestmark = pytest.mark.django_db(transaction=True)

Owner = psycopg.Connection[Any]


def change(stream: UUID, seq: int, assignment: LiteralString) -> None:
    with as_owner() as owner:
        statement = sql.SQL("UPDATE ledger_entry SET {} WHERE stream = %s AND seq = %s")
        owner.execute(statement.format(sql.SQL(assignment)), [stream, seq])


def forge(stream: UUID, first: int, last: int, *, head: bool) -> None:
    """Write the end of a stream anew, with other words and hashes that fit; with its head, if told so."""
    with as_owner() as owner:
        row = owner.execute(
            "SELECT seq, hash FROM ledger_entry WHERE stream = %s AND seq = %s", [stream, first - 1]
        ).fetchone()
        before = Head(row[0], bytes(row[1])) if row else Head()
        drafts = [Draft("order.forged", AT, {"number": -n}) for n in range(first, last + 1)]
        entries, after = seal(stream, before, drafts, lambda: b"f" * 16)
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq >= %s", [stream, first])
        for entry in entries:
            _insert(owner, entry)
        if head:
            owner.execute(
                "UPDATE ledger_stream SET head_seq = %s, head_hash = %s WHERE id = %s",
                [after.seq, after.hash, stream],
            )


def _insert(owner: Owner, entry: SealedEntry) -> None:
    owner.execute(
        "INSERT INTO ledger_entry VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            entry.stream,
            entry.seq,
            entry.kind,
            entry.facts,
            entry.content,
            entry.salt,
            entry.content_digest,
            entry.prev_hash,
            entry.hash,
            entry.at,
            entry.actor,
        ],
    )


def test_an_untouched_ledger_fits() -> None:
    streams = [write_stream(n) for n in (1, 5, 3)]
    report = verify()
    assert (report.ok, report.entries, report.streams) == (True, 9, 3)
    assert verify(streams[1]).entries == 5
    assert verify(new_id()).streams == 0


def test_an_empty_ledger_fits() -> None:
    assert verify().ok


@pytest.mark.parametrize(
    "assignment",
    [
        "kind = 'order.lost'",
        "facts = '{\"number\": 33}'",
        "facts = facts || '{\"added\": true}'",
        "at = at + interval '1 microsecond'",
        "actor = NULL",
        "actor = gen_random_uuid()",
        "hash = decode(repeat('ab', 32), 'hex')",
        "content_digest = NULL, content = NULL, salt = NULL",
        "content_digest = decode(repeat('ab', 32), 'hex')",
    ],
)
@pytest.mark.parametrize("seq", [1, 3, 5])
def test_an_edit_is_found_where_it_was_made(assignment: LiteralString, seq: int) -> None:
    write_stream(4)
    stream = write_stream(5)
    change(stream, seq, assignment)
    write_stream(4)
    assert faults() == [(stream, seq, "edited")]


@pytest.mark.parametrize(
    "assignment", ['content = \'{"text":"other words"}\'', "salt = decode('00', 'hex')", "salt = NULL"]
)
def test_other_words_are_found(assignment: LiteralString) -> None:
    stream = write_stream(5)
    change(stream, 2, assignment)
    assert faults() == [(stream, 2, "content_edited")]


def test_an_entry_moved_to_another_stream_is_found() -> None:
    stream, other = write_stream(5), write_stream(2)
    with as_owner() as owner:
        owner.execute(
            "UPDATE ledger_entry SET stream = %s, seq = 3 WHERE stream = %s AND seq = 5", [other, stream]
        )
    assert sorted(faults()) == sorted([(other, 3, "reordered"), (stream, 5, "truncated")])


@pytest.mark.parametrize("seq", [1, 3])
def test_a_deletion_is_found(seq: int) -> None:
    stream = write_stream(5)
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq = %s", [stream, seq])
    assert faults() == [(stream, seq, "missing")]


def test_a_deletion_that_closes_the_gap_is_found() -> None:
    stream = write_stream(5)
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq = 3", [stream])
        for seq in (4, 5):
            owner.execute(
                "UPDATE ledger_entry SET seq = %s WHERE stream = %s AND seq = %s", [seq - 1, stream, seq]
            )
    assert faults() == [(stream, 3, "reordered")]


def test_an_insertion_is_found() -> None:
    stream = write_stream(5)
    with as_owner() as owner:
        for seq in (5, 4, 3):
            owner.execute(
                "UPDATE ledger_entry SET seq = %s WHERE stream = %s AND seq = %s", [seq + 1, stream, seq]
            )
        row = owner.execute(
            "SELECT hash FROM ledger_entry WHERE stream = %s AND seq = 2", [stream]
        ).fetchone()
        assert row
        (entry,), _ = seal(stream, Head(2, bytes(row[0])), [Draft("order.forged", AT)], lambda: b"f" * 16)
        _insert(owner, entry)
    assert faults() == [(stream, 4, "reordered")], "the forged one fits, its successor does not"


def test_an_appended_forgery_is_found() -> None:
    stream = write_stream(5)
    forge(stream, 6, 6, head=False)
    assert faults() == [(stream, 6, "extended")]


def test_two_entries_that_changed_places_are_found() -> None:
    stream = write_stream(5)
    with as_owner() as owner:
        for old, new in ((2, 99), (3, 2), (99, 3)):
            owner.execute(
                "UPDATE ledger_entry SET seq = %s WHERE stream = %s AND seq = %s", [new, stream, old]
            )
    assert faults() == [(stream, 2, "reordered")]


@pytest.mark.parametrize("left", [0, 1, 4])
def test_a_cut_off_end_is_found(left: int) -> None:
    stream = write_stream(5)
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq > %s", [stream, left])
    assert faults() == [(stream, left + 1, "truncated")]


def test_a_head_that_was_set_back_or_lost_is_found() -> None:
    stream, other = write_stream(5), write_stream(5)
    with as_owner() as owner:
        owner.execute("UPDATE ledger_stream SET head_seq = 4 WHERE id = %s", [stream])
        owner.execute("DELETE FROM ledger_stream WHERE id = %s", [other])
    assert sorted(faults()) == sorted([(stream, 5, "extended"), (other, 5, "extended")])


def test_a_rewritten_end_is_found_by_its_head() -> None:
    stream = write_stream(5)
    forge(stream, 3, 5, head=False)
    assert faults() == [(stream, 5, "extended")]


def test_only_the_first_bad_entry_of_a_stream_is_named() -> None:
    stream = write_stream(5)
    change(stream, 2, "kind = 'x'")
    change(stream, 4, "kind = 'x'")
    assert faults() == [(stream, 2, "edited")]


def test_a_ledger_is_walked_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = [write_stream(7) for _ in range(3)]
    change(streams[1], 6, "kind = 'x'")
    for size in (1, 2, 7, 21, 22):
        monkeypatch.setattr(verification, "BATCH", size)
        assert verify().entries == 21
        assert faults() == [(streams[1], 6, "edited")]
        assert verify(streams[2]).ok


def test_without_the_chain_a_reordering_would_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a verifier that binds each entry alone, not what came before it."""
    stream = write_stream(3)
    unbound = {"prev_hash": GENESIS, "seq": 1}
    monkeypatch.setattr(
        "agentops.ledger.verification.chain_hash", lambda **parts: chain_hash(**{**parts, **unbound})
    )
    assert faults() == [(stream, 2, "edited")], "what was sealed with the chain does not fit without it"


def test_the_command_names_the_entry_and_says_so_by_its_exit_code() -> None:
    stream = write_stream(3)
    out = StringIO()
    call_command("verify", stdout=out)
    assert "3 entries in 1 streams: all fit" in out.getvalue()
    change(stream, 2, "kind = 'x'")
    out = StringIO()
    with pytest.raises(CommandError) as failed:
        call_command("verify", "--json", stdout=out)
    assert failed.value.returncode == 1
    document = json.loads(out.getvalue())
    assert document["ok"] is False
    assert [(fault["stream"], fault["seq"], fault["code"]) for fault in document["faults"]] == [
        (str(stream), 2, "edited")
    ]
    call_command("verify", str(write_stream(1)), stdout=StringIO())
