"""Sealing: how drafts become entries of a hash chain. Pure, so that a stand-alone verifier can repeat it.

An entry's hash covers stream, seq, kind, time, actor, facts, the content's digest and the previous hash.
The content itself is covered only through a salted digest: erasing content and salt leaves the chain
verifiable and the text unrecoverable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from agentops.identifiers import text_of
from agentops.plain_json import dump_plain

GENESIS = bytes(32)


class Head(NamedTuple):
    """Where a stream stands: the number and the hash of its last entry."""

    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be recorded: ``facts`` hold nothing personal, ``content`` is erasable JSON."""

    kind: str
    at: datetime
    facts: dict[str, Any] = field(
        default_factory=dict
    )  # str, int, bool, None, lists and dicts of these: exact in jsonb
    content: Any = None
    actor: UUID | None = None


class SealedEntry(NamedTuple):
    stream: UUID
    seq: int
    kind: str
    facts: str
    content: str | None
    salt: bytes | None
    content_digest: bytes | None
    prev_hash: bytes
    hash: bytes
    at: datetime
    actor: UUID | None


_FACTS = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_CONTENT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


def dump_facts(facts: dict[str, Any]) -> str:
    """Return the canonical text of facts; for their restricted types this equals RFC 8785."""
    plain = dump_plain(facts, sort_keys=True)
    return _FACTS.encode(facts) if plain is None else plain.decode()


def _dump_new(facts: dict[str, Any]) -> str:
    """Return the text of facts that are to be recorded.

    Raises TypeError for a float among them: the database may return another text than the one that was hashed.
    """
    plain = dump_plain(facts, sort_keys=True)
    if plain is not None:
        return plain.decode()
    _refuse_floats(facts.values())
    return _FACTS.encode(facts)


def dump_content(content: Any) -> str:
    """Return content as ASCII JSON text, stored byte for byte (jsonb would refuse NUL and reorder keys)."""
    plain = dump_plain(content)
    # The faster encoder leaves other signs than ASCII, and DEL, as they are.
    if plain is not None and plain.isascii() and b"\x7f" not in plain:
        return plain.decode()
    return _CONTENT.encode(content)


def digest_content(salt: bytes, content: str) -> bytes:
    """Return the SHA-256 of salt and text."""
    return hashlib.sha256(salt + content.encode()).digest()


def chain_hash(
    *,
    stream: UUID,
    seq: int,
    kind: str,
    at: datetime,
    actor: UUID | None,
    facts: str,
    content_digest: bytes | None,
    prev_hash: bytes,
) -> bytes:
    """Return the SHA-256 that binds an entry to everything before it."""
    parts = (
        text_of(stream),
        str(seq),
        kind,
        _write_time(at.astimezone(UTC)),
        text_of(actor) if actor else "",
        facts,
        content_digest.hex() if content_digest else "",
        prev_hash.hex(),
    )
    return hashlib.sha256("\n".join(parts).encode()).digest()


def _write_time(at: datetime) -> str:
    """Return a time as ``isoformat`` does, with microseconds; the faster encoder leaves them out where they are 0."""
    return orjson.dumps(at).decode()[1:-1] if at.microsecond else at.isoformat(timespec="microseconds")


def seal(
    stream: UUID, head: Head, drafts: Iterable[Draft], new_salt: Callable[[], bytes]
) -> tuple[list[SealedEntry], Head]:
    """Chain drafts behind a head; return the sealed entries and the new head."""
    entries: list[SealedEntry] = []
    for draft in drafts:
        entry = _seal_one(stream, head, draft, new_salt)
        entries.append(entry)
        head = Head(entry.seq, entry.hash)
    return entries, head


def _seal_one(stream: UUID, head: Head, draft: Draft, new_salt: Callable[[], bytes]) -> SealedEntry:
    content = None if draft.content is None else dump_content(draft.content)
    salt = None if content is None else new_salt()
    digest = None if content is None or salt is None else digest_content(salt, content)
    facts = _dump_new(draft.facts)
    hashed = chain_hash(
        stream=stream,
        seq=head.seq + 1,
        kind=draft.kind,
        at=draft.at,
        actor=draft.actor,
        facts=facts,
        content_digest=digest,
        prev_hash=head.hash,
    )
    return SealedEntry(
        stream,
        head.seq + 1,
        draft.kind,
        facts,
        content,
        salt,
        digest,
        head.hash,
        hashed,
        draft.at,
        draft.actor,
    )


def _refuse_floats(values: Iterable[Any]) -> None:  # Any: JSON
    for value in values:
        kind = type(value)
        if kind is dict:
            _refuse_floats(value.values())
        elif kind is list or kind is tuple:
            _refuse_floats(value)
        elif isinstance(value, float):
            raise TypeError("facts hold a float: write amounts as texts and durations as whole milliseconds")
