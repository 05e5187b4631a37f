"""The journal: how a driver writes. On the hot path nothing else does, but for the lease (`runs.lease_rows`).

An append is one statement: fence on the lease, move the stream's head, add the entries, move the projections, write
what is to be told.
Every branch selects from the fence and the head, so a driver that lost its lease, or whose idea of the
stream is old, writes nothing at all. It waits for no lock: what it compares (standing, budgets) would be as
old as the wait. Whoever has to wait does so before, in a statement of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
import psycopg

from agentops.database import JournalConnection, Prepared
from agentops.engine.budgets import Shortfall
from agentops.ledger.entries import Draft, Head, SealedEntry, seal
from agentops.ledger.store import Cursor, new_salt
from runs import draws
from runs.append_statements import APPENDS, PROJECT, Parts, unite
from runs.draws import Draw
from runs.notices import may_tell
from runs.projection import Projection, RunRow

Word = Literal[
    "appended",
    "lease_lost",
    "head_moved",
    "budget_set",
    "standing_changed",
    "window_missing",
    "window_locked",
    "budget_short",
]

_LOCK_RUN = "SELECT FROM runs_run WHERE id = %s FOR NO KEY UPDATE"


@dataclass(frozen=True, slots=True)
class Premise:
    """How a tool, its grant and the actors were seen to stand when a call was allowed: the text of an answer.

    ``key``, where it was not looked up, must be one that the idempotency ledger does not know.
    """

    tool: UUID
    seen: str
    key: str | None = None


class Write(NamedTuple):
    """One append: entries sealed behind a head, and what they change."""

    run: UUID
    identity: UUID
    epoch: int
    before: Head
    after: Head
    entries: Sequence[SealedEntry]
    row: RunRow
    projection: Projection
    # Before a model call: the units that the run knows to be shared. A budget not yet drawn on stops the append.
    bound: list[str] | None = None
    # Before a model call: how those stood by whose authority the run acts. Another standing stops the append.
    actors: list[Any] | None = None
    # What the run draws on its shared budgets with this append, or returns.
    draw: Draw | None = None
    # Before attempts: what their decisions rest on. When one of them stands otherwise, nothing is written.
    premises: Sequence[Premise] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A write as the JSON that the statement takes, and what the statement needs for it."""

    text: str
    draw: Draw | None
    parts: Parts


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a write; ``missing`` of which shared budget, when one was short."""

    word: Word
    missing: tuple[Shortfall, ...] = ()


LEASE_LOST = Appended("lease_lost")


def seal_drafts(run: UUID, head: Head, drafts: Iterable[Draft]) -> tuple[list[SealedEntry], Head]:
    """Chain drafts behind a head."""
    return seal(run, head, drafts, new_salt)


def encode(write: Write) -> Document:
    """Return an append as the statement takes it."""
    before, after = write.before, write.after
    document = {
        "id": write.run,
        "identity": write.identity,
        "epoch": write.epoch,
        "before_seq": before.seq,
        "before_hash": before.hash,
        "after_seq": after.seq,
        "after_hash": after.hash,
        "bound": write.bound,
        "actors": write.actors,
        "premises": write.premises,
        "entries": [entry._asdict() for entry in write.entries],
        **draws.columns_of(write.draw),
        **_rows(write.row, write.projection),
    }
    return Document(_encode(document), write.draw, _parts_for(write))


def _parts_for(write: Write) -> Parts:
    return Parts(
        draws=write.draw is not None,
        asks=write.bound is not None or write.actors is not None,
        attempts=bool(write.premises),
        notices=any(may_tell(entry.kind, entry.facts) for entry in write.entries),
    )


def lock(cursor: Cursor, write: Write) -> None:
    """Wait, in the caller's transaction, for all that an append locks: for the run, then for its windows."""
    cursor.execute(_LOCK_RUN, (write.run,))
    if write.draw is not None:
        draws.lock_windows(cursor, {write.run: write.draw})


def append(connection: psycopg.Connection[Any], write: Write) -> Appended:
    """Append to one run, whose lock the caller has; say why when nothing was written."""
    return append_documents(connection, [encode(write)]).get(write.run, LEASE_LOST)


def append_documents(
    connection: psycopg.Connection[Any], documents: Sequence[Document]
) -> dict[UUID, Appended]:
    """Append to several runs in one statement: each is judged alone, an error undoes them all.

    A run that is missing in the answer is driven by somebody else, or locked by somebody.
    """
    return _read_words(_statement_for(documents).rows(connection, (_join(documents),)))


def append_group(
    connection: JournalConnection, documents: Sequence[Document], drawing: Mapping[UUID, Draw]
) -> dict[UUID, Appended]:
    """Append like ``append_documents``, and wait before, briefly, for the windows of what is drawn.

    Raises LockNotAvailable where that takes too long.
    """
    if not drawing:
        return append_documents(connection, documents)
    windows, parameters = draws.name_windows(drawing), (_join(documents),)
    append_all = _statement_for(documents)
    return _read_words(append_all.rows_after(connection, parameters, draws.LOCK_BRIEFLY, windows))


def _statement_for(documents: Sequence[Document]) -> Prepared:
    return APPENDS[unite(document.parts for document in documents)]


def _join(documents: Sequence[Document]) -> str:
    return f"[{','.join([document.text for document in documents])}]"


def _read_words(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, Appended]:
    return {UUID(run): _read_word(word, told) for run, word, told in rows}


def _read_word(word: Word, told: str | None) -> Appended:
    return Appended(word, tuple(draws.read_missing(told)) if word == "budget_short" else ())


def write_rows(
    connection: psycopg.Connection[Any], run: UUID, identity: UUID, row: RunRow, projection: Projection
) -> None:
    """Write what was projected, without an entry: for rows that are built anew."""
    document = _encode([{"id": run, "identity": identity, **_rows(row, projection)}])
    PROJECT.rows(connection, (document,))


def _rows(row: RunRow, projection: Projection) -> dict[str, Any]:
    return {
        "run": row._asdict(),
        "steps": [vars(row) for row in projection.steps.values()],
        "calls": [vars(row) for row in projection.calls.values()],
        "effects": [vars(row) for row in projection.effects.values()],
    }


def _as_text(value: object) -> str:
    """Write what JSON has no type for as PostgreSQL reads it."""
    return "\\x" + value.hex() if isinstance(value, bytes) else str(value)


def _encode(document: Any) -> str:  # Any: JSON, with times, UUIDs, Decimals and bytes in it
    return orjson.dumps(document, default=_as_text).decode()
