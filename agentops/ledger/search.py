"""Finding and reading entries for people: bounded in time and number, whatever the ledger holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from agentops.ledger.decoding import AT_IN_RANGE, AT_OR_NULL, decode_facts, decode_words
from agentops.ledger.entries import chain_hash, digest_content, dump_facts
from agentops.ledger.models import Stream

ENTRIES_PER_PAGE = 50
MOST_FOUND = 100
DEFAULT_DAYS, MOST_DAYS = 30, 36_500
LONGEST_SEARCH = "3s"

# What a run writes at every step is found through its stream; the rest has an index by kind and time.
_ROUTINE = ("model.", "attempt.", "call.", "step.")
_COLUMNS = f"e.stream, e.seq, e.kind, e.facts::text, NULL, {AT_IN_RANGE}, e.actor, s.kind"
NO_FACTS = {"unreadable": True}  # what is shown in their place


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for; empty fields ask for nothing."""

    stream: str = ""
    stream_kind: str = ""
    kind: str = ""
    actor: str = ""
    days: int = DEFAULT_DAYS

    @classmethod
    def from_parameters(cls, given: Mapping[str, Any]) -> Query:
        """Return the query of a query string; days that are no number are the default."""
        words = {
            name: str(given.get(name, "")).strip() for name in ("stream", "stream_kind", "kind", "actor")
        }
        days = str(given.get("days", ""))
        return cls(
            **words, days=min(int(days), MOST_DAYS) if days.isdecimal() and int(days) else DEFAULT_DAYS
        )


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry in a list; ``content`` only where it was read."""

    stream: UUID
    seq: int
    kind: str
    facts: dict[str, Any]
    content: Any
    at: datetime
    actor: UUID | None
    stream_kind: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, or why it could not."""

    entries: list[FoundEntry]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One entry with everything that its hash is made of, and whether it still is."""

    seq: int
    kind: str
    facts: dict[str, Any]
    content: Any
    has_content: bool
    erased: bool
    at: datetime
    actor: UUID | None
    hash: str
    prev_hash: str
    content_digest: str
    intact: bool

    @property
    def before(self) -> int:
        return self.seq - 1

    @property
    def after(self) -> int:
        return self.seq + 1


def find_entries(query: Query, visible: QuerySet[Stream], *, everything: bool) -> Found:
    """Return the latest entries that fit, of the streams that are visible.

    ``everything`` spares the comparison with what is visible, for those who may read all of it.
    """
    conditions, values = _conditions(query)
    if conditions is None:
        return Found([], "That is no id and no username that is known here.")
    if not everything:
        sql, parameters = visible.order_by().values("pk").query.sql_with_params()
        conditions.append(f"EXISTS (SELECT FROM ({sql}) AS visible(id) WHERE visible.id = e.stream)")
        values.extend(parameters)
    statement = (
        f"SELECT {_COLUMNS} FROM ledger_entry e JOIN ledger_stream s ON s.id = e.stream"  # noqa: S608  constants
        f" WHERE {' AND '.join(conditions)} ORDER BY e.at DESC LIMIT {MOST_FOUND}"
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{LONGEST_SEARCH}'")
            cursor.execute(statement, values)
            rows = cursor.fetchall()
    except OperationalError:
        return Found(
            [], f"This search took longer than {LONGEST_SEARCH}. Name a stream or a kind, and search again."
        )
    return Found([FoundEntry(r[0], r[1], r[2], _show_facts(r[3]), None, r[5], r[6], r[7]) for r in rows])


def _show_facts(text: str) -> dict[str, Any]:
    facts = decode_facts(text)
    return dict(NO_FACTS) if facts is None else facts


def _conditions(query: Query) -> tuple[list[str] | None, list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if query.stream:
        stream = _as_id(query.stream)
        if stream is None:
            return None, []
        conditions.append("e.stream = %s")
        values.append(stream)
    else:
        # The very words of the index's own condition, or the planner does not see that it applies.
        conditions.extend(f"e.kind NOT LIKE '{prefix}%%'" for prefix in _ROUTINE)
        conditions.append("e.at > now() - make_interval(days => %s)")
        values.append(query.days)
    if query.stream_kind:
        conditions.append("s.kind = %s")
        values.append(query.stream_kind)
    if query.kind:
        conditions.append("e.kind = %s")
        values.append(query.kind)
    if query.actor:
        actor = _find_actor(query.actor)
        if actor is None:
            return None, []
        conditions.append("e.actor = %s")
        values.append(actor)
    return conditions, values


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _find_actor(text: str) -> UUID | None:
    """Return the id of an account by its name, or the id itself: agents act under theirs."""
    named = get_user_model()._default_manager.filter(username=text).values_list("pk", flat=True).first()
    return named or _as_id(text)


def read_page(stream: UUID, last: int) -> list[FoundEntry]:
    """Return the entries of a stream up to a number, newest first, with their contents."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT seq, kind, facts::text, content, {AT_IN_RANGE}, actor FROM ledger_entry"  # noqa: S608  constants
            " WHERE stream = %s AND seq <= %s ORDER BY seq DESC LIMIT %s",
            [stream, last, ENTRIES_PER_PAGE],
        )
        return [
            FoundEntry(stream, seq, kind, _show_facts(facts), decode_words(content, seq), at, actor)
            for seq, kind, facts, content, at, actor in cursor.fetchall()
        ]


def read_entry(stream: UUID, seq: int) -> Proof | None:
    """Return one entry with its proof, or None when there is none of that number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, facts::text, content, salt, content_digest, prev_hash, hash,"  # noqa: S608  constants
            f" {AT_IN_RANGE}, {AT_OR_NULL} IS NULL, actor"
            " FROM ledger_entry WHERE stream = %s AND seq = %s",
            [stream, seq],
        )
        row = cursor.fetchone()
    return None if row is None else _prove(stream, seq, row)


def _prove(stream: UUID, seq: int, row: tuple[Any, ...]) -> Proof:  # Any: columns
    kind, facts_text, content, salt, digest, prev_hash, stored_hash, at, bad_at, actor = row
    read = decode_facts(facts_text)
    facts = _show_facts(facts_text)
    digest = None if digest is None else bytes(digest)
    computed = chain_hash(
        stream=stream,
        seq=seq,
        kind=kind,
        at=at,
        actor=actor,
        facts=dump_facts(facts),
        content_digest=digest,
        prev_hash=bytes(prev_hash),
    )
    words_fit = content is None or (salt is not None and digest_content(bytes(salt), content) == digest)
    return Proof(
        seq=seq,
        kind=kind,
        facts=facts,
        content=decode_words(content, seq),
        has_content=digest is not None,
        erased=digest is not None and content is None,
        at=at,
        actor=actor,
        hash=bytes(stored_hash).hex(),
        prev_hash=bytes(prev_hash).hex(),
        content_digest="" if digest is None else digest.hex(),
        intact=computed == bytes(stored_hash) and words_fit and not bad_at and read is not None,
    )
