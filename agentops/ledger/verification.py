"""Verification: recompute every hash and name the first entry that does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agentops.ledger.checkpoint_faults import find_signed_faults
from agentops.ledger.decoding import AT_OR_NULL, decode_facts
from agentops.ledger.entries import GENESIS, chain_hash, digest_content, dump_facts
from agentops.ledger.faults import Fault
from agentops.ledger.store import Cursor

BATCH = 5_000

_ROWS = f"""
SELECT stream, seq, kind, facts::text, content, salt, content_digest, prev_hash, hash, {AT_OR_NULL}, actor
FROM ledger_entry
WHERE (stream, seq) > (%s, %s) {{only}}
ORDER BY stream, seq LIMIT %s
"""  # noqa: S608  constants


@dataclass(slots=True)
class Report:
    """What was verified: one fault per broken stream at the most, the first one."""

    entries: int = 0
    streams: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.faults


Check = Callable[[Cursor, list[UUID] | None], list[Fault]]
_checks: list[Check] = []


def register_check(check: Check) -> None:
    """Have ``compare_rows`` call a check; the apps above register theirs when they are ready."""
    if check not in _checks:
        _checks.append(check)


def compare_rows(cursor: Cursor, streams: list[UUID] | None) -> list[Fault]:
    """Return the faults of rows that say what the ledger does not."""
    return [fault for check in _checks for fault in check(cursor, streams)]


@dataclass(slots=True)
class _Position:
    stream: UUID
    seq: int = 0
    hash: bytes = GENESIS
    broken: bool = False


def verify_streams(
    cursor: Cursor,
    streams: Iterable[UUID] | None = None,
    *,
    expected: str = "",
    signers: frozenset[bytes] | None = None,
) -> Report:
    """Verify the named streams, or all of them, and what was signed about them; memory stays bounded.

    ``expected``: the digest (hex) of a checkpoint that was noted elsewhere. ``signers``: the public keys that may have
    signed, where that is another installation's database.
    """
    wanted = None if streams is None else list(streams)
    heads = read_heads(cursor, wanted)
    report = Report(streams=len(heads))
    position: _Position | None = None
    for row in read_rows(cursor, wanted):
        if position is None or row[0] != position.stream:
            _check_head(position, heads, report)
            position = _Position(row[0])
        report.entries += 1
        if not position.broken:
            _check_row(position, row, report)
    _check_head(position, heads, report)
    for stream, (seq, _) in heads.items():
        if seq:  # a stream that has a head and not one entry
            report.faults.append(Fault(stream, 1, "truncated", f"all {seq} entries are missing"))
    known = {fault.stream for fault in report.faults}
    signed = find_signed_faults(cursor, wanted, expected=expected, signers=signers)
    report.faults += [fault for fault in signed if fault.stream not in known]
    return report


def read_heads(cursor: Cursor, wanted: list[UUID] | None) -> dict[UUID, tuple[int, bytes]]:
    """Return where the wanted streams, or all of them, stand."""
    cursor.execute(
        "SELECT id, head_seq, head_hash FROM ledger_stream WHERE %s::uuid[] IS NULL OR id = ANY(%s)",
        (wanted, wanted),
    )
    return {stream: (seq, bytes(hashed)) for stream, seq, hashed in cursor.fetchall()}


def read_rows(cursor: Cursor, wanted: list[UUID] | None) -> Iterator[tuple[Any, ...]]:
    """Walk the entries in batches by key, so that no result set holds the whole ledger."""
    query = _ROWS.format(only="" if wanted is None else "AND stream = ANY(%s)")
    last: tuple[UUID, int] = (UUID(int=0), 0)
    while True:
        parameters: list[Any] = [*last, *([] if wanted is None else [wanted]), BATCH]
        cursor.execute(query, parameters)
        rows = cursor.fetchall()
        yield from rows
        if len(rows) < BATCH:
            return
        last = rows[-1][0], rows[-1][1]


def _check_row(position: _Position, row: tuple[Any, ...], report: Report) -> None:
    fault = _find_fault(position, row)
    if fault is not None:
        position.broken = True
        report.faults.append(fault)
    position.seq, position.hash = row[1], bytes(row[8])


def _find_fault(position: _Position, row: tuple[Any, ...]) -> Fault | None:
    stream, seq, kind, facts, content, salt, digest, prev_hash, hashed, at, actor = row
    if seq != position.seq + 1:
        return Fault(stream, position.seq + 1, "missing", f"after {position.seq} comes {seq}")
    if bytes(prev_hash) != position.hash:
        return Fault(stream, seq, "reordered", "does not continue the entry before it")
    read = decode_facts(facts)
    if at is None or read is None:
        return Fault(stream, seq, "unreadable", f"its {'time' if at is None else 'facts'} cannot be read")
    digest = None if digest is None else bytes(digest)
    expected = chain_hash(
        stream=stream, seq=seq, kind=kind, at=at, actor=actor, facts=dump_facts(read),
        content_digest=digest, prev_hash=position.hash,
    )  # fmt: skip
    if bytes(hashed) != expected:
        return Fault(stream, seq, "edited", "its hash does not fit what it says")
    if content is not None and (salt is None or digest_content(bytes(salt), content) != digest):
        return Fault(stream, seq, "content_edited", "its content does not fit its digest")
    return None


def _check_head(position: _Position | None, heads: dict[UUID, tuple[int, bytes]], report: Report) -> None:
    if position is None:
        return
    head = heads.pop(position.stream, (0, GENESIS))
    if position.broken:
        return
    if position.seq < head[0]:
        report.faults.append(
            Fault(position.stream, position.seq + 1, "truncated", f"the head stands at {head[0]}")
        )
    elif (position.seq, position.hash) != head:
        report.faults.append(
            Fault(position.stream, position.seq, "extended", f"the head stands at {head[0]}")
        )
