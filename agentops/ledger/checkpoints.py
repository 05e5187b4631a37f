"""Taking checkpoints: what the ledger's heads are is signed from time to time, so that a rewrite is found later.

The key is sealed under a key that the database does not hold. Its owner can write the ledger anew, and its heads;
what was signed before they cannot.
"""

from __future__ import annotations

import logging
from datetime import datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.db import connection, transaction

from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.models import Checkpoint, CheckpointKey
from agentops.ledger.statements import NOTHING_BEFORE, Leaf, Statement, merkle_root
from agentops.ledger.store import Cursor, record
from agentops.sealed_rows import place_of
from agentops.sealing import SealRefused, seal, unseal

logger = logging.getLogger(__name__)

MOST_HEADS = 50_000  # of one checkpoint: with more the next one follows at once
FIELD = "sealed_private_key"

Signer = tuple[Ed25519PrivateKey, bytes]  # with its public half

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('ledger.checkpoint', 0))"
_MOVED = """
SELECT s.id, s.head_seq, s.head_hash FROM ledger_stream s
WHERE s.head_seq > 0 AND NOT EXISTS (
    SELECT FROM ledger_checkpoint_head h WHERE h.stream = s.id AND h.seq = s.head_seq)
ORDER BY s.id LIMIT %s
"""
_ADD_HEADS = """
INSERT INTO ledger_checkpoint_head (stream, seq, hash, checkpoint)
SELECT stream, seq, hash, %s FROM unnest(%s::uuid[], %s::int[], %s::bytea[]) AS h(stream, seq, hash)
"""


@transaction.atomic
def take_checkpoint(*, now: datetime) -> Checkpoint | None:
    """Sign the heads that have moved since the last checkpoint; return it, None where none has.

    Raises StateConflict where the last one is not what the key that signs now has signed: a signature vouches for all
    that it binds. A person looks at it, and has the next key go on: see ``rotate_key``.
    """
    leaves = _read_moved()
    if not leaves:
        return None
    last, signer = read_last(), _signing_key()
    check_last(last, signer[1])
    return _add(leaves, last, signer, now)


@transaction.atomic
def rotate_key(*, now: datetime) -> Checkpoint:
    """Have a new key sign from now on; return its first checkpoint, which binds all that were signed before.

    The earlier key stays known for what it signed, and signs nothing more.
    """
    _take_turns()
    last = read_last()
    signer = _make_key()
    replaced = bytes(last.public_key).hex() if last else None
    facts = {"public_key": signer[1].hex(), "replaces": replaced}
    record(new_id(), "checkpoint_key", Draft("checkpoint_key.rotated", now, facts))
    return _add(_read_moved(), last, signer, now)


def read_last() -> Checkpoint | None:
    """Return the newest checkpoint."""
    return Checkpoint.objects.order_by("-number").first()


def check_last(last: Checkpoint | None, own: bytes) -> None:
    """Check that a key (its public half) has signed the last checkpoint; raises StateConflict."""
    if last is None:
        return
    problem = "" if bytes(last.public_key) == own else "was signed by a key that was replaced"
    problem = problem or find_forgery(last)
    if problem:
        raise StateConflict("checkpoint_forged", f"checkpoint {last.number} {problem}")


def find_forgery(row: Checkpoint) -> str:
    """Return what is wrong with a checkpoint's signature under the key that it names, "" where it holds."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes(row.public_key)).verify(
            bytes(row.signature), statement_of(row).data()
        )
    except (InvalidSignature, ValueError):
        return "is not what was signed"
    return ""


def _take_turns() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)  # numbers and digests follow one another


def _read_moved() -> list[Leaf]:
    _take_turns()
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [MOST_HEADS])
        return [Leaf(stream, seq, bytes(hashed)) for stream, seq, hashed in cursor.fetchall()]


def _add(leaves: list[Leaf], last: Checkpoint | None, signer: Signer, now: datetime) -> Checkpoint:
    made = _sign(leaves, last, signer, now)
    made.save(force_insert=True)
    columns = zip(*((leaf.stream, leaf.seq, leaf.hash) for leaf in leaves), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ADD_HEADS, [made.number, *map(list, columns)])
    # Where logs are kept elsewhere, this is what an end that was cut off is found by.
    digest = digest_of(made).hex()
    transaction.on_commit(lambda: logger.info("checkpoint %s of the ledger: %s", made.number, digest))
    return made


def take_checkpoints(*, now: datetime) -> int:
    """Take checkpoints until no head has moved; return how many heads were signed."""
    signed = 0
    while (made := take_checkpoint(now=now)) is not None:
        signed += made.heads
        if made.heads < MOST_HEADS:
            break
    return signed


def _sign(leaves: list[Leaf], last: Checkpoint | None, signer: Signer, now: datetime) -> Checkpoint:
    private, public = signer
    before = digest_of(last) if last else NOTHING_BEFORE
    number = last.number + 1 if last else 1
    said = Statement(number, now, public, len(leaves), merkle_root(leaves), before)
    return Checkpoint(
        number=number, at=now, public_key=public, heads=said.heads, root=said.root, prev_digest=before,
        signature=private.sign(said.data()),
    )  # fmt: skip


def statement_of(row: Checkpoint) -> Statement:
    """Return what a checkpoint says."""
    return Statement(
        row.number, row.at, bytes(row.public_key), row.heads, bytes(row.root), bytes(row.prev_digest)
    )


def digest_of(row: Checkpoint) -> bytes:
    """Return a checkpoint's digest (SHA-256)."""
    return statement_of(row).digest(bytes(row.signature))


def _signing_key() -> Signer:
    """Return the newest key that is ours; the first one is made."""
    for row in CheckpointKey.objects.order_by("-created_at"):
        if (private := _open(row)) is not None:
            return private, bytes(row.public_key)
    return _make_key()


def _make_key() -> Signer:
    private = Ed25519PrivateKey.generate()
    row = CheckpointKey(public_key=private.public_key().public_bytes_raw())
    row.sealed_private_key = seal(private.private_bytes_raw(), context=place_of(row, FIELD))
    row.save(force_insert=True)
    return private, bytes(row.public_key)


def list_own_keys(cursor: Cursor) -> frozenset[bytes]:
    """Return the public keys whose private half only this installation can have sealed."""
    cursor.execute("SELECT id, public_key, sealed_private_key FROM ledger_checkpoint_key")
    rows = [
        CheckpointKey(id=name, public_key=bytes(public), sealed_private_key=private)
        for name, public, private in cursor.fetchall()
    ]
    return frozenset(bytes(row.public_key) for row in rows if _open(row) is not None)


def list_known_keys(cursor: Cursor) -> frozenset[bytes]:
    """Return all public keys, for who looks at another installation's database and cannot tell which are its own."""
    cursor.execute("SELECT public_key FROM ledger_checkpoint_key")
    return frozenset(bytes(public) for (public,) in cursor.fetchall())


def _open(row: CheckpointKey) -> Ed25519PrivateKey | None:
    """Return a row's private key; None for one that somebody else has written."""
    try:
        raw = unseal(row.sealed_private_key, context=place_of(row, FIELD))
        private = Ed25519PrivateKey.from_private_bytes(raw)
    except (SealRefused, ValueError):
        return None
    return private if private.public_key().public_bytes_raw() == bytes(row.public_key) else None
