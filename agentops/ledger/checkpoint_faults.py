"""Comparing the ledger with what was signed about it: a consistent rewrite fits in itself, and not with this."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from agentops.ledger.checkpoints import digest_of, find_forgery, list_own_keys, statement_of
from agentops.ledger.faults import Fault
from agentops.ledger.models import Checkpoint
from agentops.ledger.statements import NOTHING_BEFORE, Leaf, merkle_root
from agentops.ledger.store import Cursor

# The first signed head of each stream that is not there any more. All signed heads before it are.
_GONE = """
SELECT DISTINCT ON (h.stream) h.stream, h.seq, h.checkpoint, e.hash IS NULL,
    coalesce((SELECT max(x.seq) FROM ledger_checkpoint_head x WHERE x.stream = h.stream AND x.seq < h.seq), 0),
    coalesce((SELECT max(x.seq) FROM ledger_entry x WHERE x.stream = h.stream AND x.seq < h.seq), 0)
FROM ledger_checkpoint_head h LEFT JOIN ledger_entry e ON e.stream = h.stream AND e.seq = h.seq
WHERE e.hash IS DISTINCT FROM h.hash AND (%s::uuid[] IS NULL OR h.stream = ANY(%s))
ORDER BY h.stream, h.seq
"""
_GONE_OF_ONE = """
SELECT h.stream, h.seq, e.hash IS NULL
FROM ledger_checkpoint_head h LEFT JOIN ledger_entry e ON e.stream = h.stream AND e.seq = h.seq
WHERE h.checkpoint = %s AND e.hash IS DISTINCT FROM h.hash ORDER BY h.stream LIMIT 100
"""
_CHECKPOINTS = """
SELECT id, number, at, public_key, heads, root, prev_digest, signature FROM ledger_checkpoint
WHERE %s::uuid[] IS NULL OR number IN (SELECT checkpoint FROM ledger_checkpoint_head WHERE stream = ANY(%s))
ORDER BY number
"""
_HEADS = "SELECT stream, seq, hash FROM ledger_checkpoint_head WHERE checkpoint = %s ORDER BY stream"
_COLUMNS = ("id", "number", "at", "public_key", "heads", "root", "prev_digest", "signature")


def find_signed_faults(
    cursor: Cursor,
    streams: list[UUID] | None = None,
    *,
    expected: str = "",
    signers: frozenset[bytes] | None = None,
) -> Iterator[Fault]:
    """Yield what does not fit the checkpoints, and the checkpoints that do not fit themselves.

    ``expected``: the digest (hex) of a checkpoint that was noted elsewhere, and has to be among them. ``signers``: the
    public keys that may have signed; those that this installation has sealed, where they are not named.
    """
    keys = list_own_keys(cursor) if signers is None else signers
    yield from _find_forged(cursor, streams, expected, keys)
    cursor.execute(_GONE, (streams, streams))
    for stream, seq, checkpoint, is_gone, signed, there in cursor.fetchall():
        if is_gone:
            yield Fault(stream, there + 1, "truncated", f"checkpoint {checkpoint} holds entry {seq}")
        else:
            detail = f"checkpoint {checkpoint} holds another: something from entry {signed + 1} on was written anew"
            yield Fault(stream, seq, "rewritten", detail)


def find_faults_of(cursor: Cursor, number: int) -> list[Fault]:
    """Return what does not fit one checkpoint: itself, its heads, and the entries that they were of."""
    row = Checkpoint.objects.filter(number=number).first()
    if row is None:
        return [Fault(UUID(int=0), number, "missing", f"there is no checkpoint {number}")]
    if problem := _find_problem(cursor, row, list_own_keys(cursor)):
        return [Fault(row.pk, number, "forged", f"checkpoint {number} {problem}")]
    cursor.execute(_GONE_OF_ONE, (number,))
    return [
        Fault(stream, seq, "truncated" if is_gone else "rewritten", f"checkpoint {number} holds it otherwise")
        for stream, seq, is_gone in cursor.fetchall()
    ]


def _find_forged(
    cursor: Cursor, streams: list[UUID] | None, expected: str, keys: frozenset[bytes]
) -> Iterator[Fault]:
    number, digest, digests, before = 0, NOTHING_BEFORE, set(), list[bytes]()
    for row in _read_checkpoints(cursor, streams):
        said = statement_of(row)
        follows = streams is not None or (row.number, said.prev_digest) == (number + 1, digest)
        problem = _find_problem(cursor, row, keys) if follows else "does not follow the one before it"
        if not problem and _is_replaced(said.public_key, before):
            problem = "was signed by a key that was replaced"
        before.append(said.public_key)
        if problem:
            yield Fault(row.pk, row.number, "forged", f"checkpoint {row.number} {problem}")
        number, digest = row.number, digest_of(row)
        digests.add(digest.hex())
    if expected and expected.lower() not in digests:
        yield Fault(UUID(int=0), number + 1, "truncated", f"there is no checkpoint {expected}")


def _is_replaced(key: bytes, before: list[bytes]) -> bool:
    """Return whether another key has signed since this one did: then it is over, whoever has it."""
    return key in before and before[-1] != key


def _read_checkpoints(cursor: Cursor, streams: list[UUID] | None) -> list[Checkpoint]:
    """Return all checkpoints, or those that hold one of these streams: some hundred bytes for five minutes each."""
    cursor.execute(_CHECKPOINTS, (streams, streams))
    return [Checkpoint(**dict(zip(_COLUMNS, row, strict=True))) for row in cursor.fetchall()]


def _find_problem(cursor: Cursor, row: Checkpoint, keys: frozenset[bytes]) -> str:
    cursor.execute(_HEADS, (row.number,))
    leaves = [Leaf(stream, seq, bytes(hashed)) for stream, seq, hashed in cursor.fetchall()]
    if (len(leaves), merkle_root(leaves)) != (row.heads, bytes(row.root)):
        return "does not fit its heads"
    if bytes(row.public_key) not in keys:
        return "was signed by a key that is not ours"
    return find_forgery(row)
