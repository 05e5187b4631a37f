"""A record of effects in SQLite: what was done under which key, for whom, and the answer that was given."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import rfc8785

from agentops.demo.toolserver import MAX_KEY_LENGTH, JsonObject, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

TABLE = """
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL, key TEXT, fingerprint TEXT NOT NULL,
    tool TEXT NOT NULL, arguments TEXT NOT NULL, answer TEXT NOT NULL,
    principal TEXT, traceparent TEXT, at TEXT NOT NULL,
    UNIQUE (scope, key)
)
"""


@dataclass(frozen=True)
class Caller:
    """Who asks for an effect, by the headers: idempotency key, end user (``issuer|subject``), W3C trace."""

    key: str | None = None
    principal: str | None = None
    traceparent: str | None = None


def read_caller(request: Request) -> Caller:
    """Return the caller; its key may be bare or quoted. Raises Problem 400 for an empty or overlong one."""
    key = request.headers.get("idempotency-key")
    if key is not None:
        key = key.strip().strip('"')
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            raise Problem(
                400, "invalid_idempotency_key", f"Idempotency-Key must have 1 to {MAX_KEY_LENGTH} characters"
            )
    return Caller(key, request.headers.get("x-principal"), request.headers.get("traceparent"))


def connect(path: str = ":memory:") -> sqlite3.Connection:
    """Open the database; every commit is synced to disk, so an acknowledged effect survives a power cut."""
    # The event loop that serves may run in another thread than the one that opened; it is the only user.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(TABLE)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block did, or nothing of it.

    The write lock is taken first, because two processes may share a file.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class EffectLog:
    """The effects of one scope (a shop), each of them once per idempotency key.

    Refusals are not kept: they changed nothing, and a later try under the same key may find the order in
    another state.
    """

    def __init__(self, connection: sqlite3.Connection, scope: str = "") -> None:
        self.connection = connection
        self.scope = scope

    def perform(
        self, caller: Caller, tool: str, arguments: JsonObject, effect: Callable[[JsonObject], JsonObject]
    ) -> tuple[JsonObject, bool]:
        """Carry the effect out and record it in one transaction, or replay what its key has done before.

        Returns the answer and whether it is a replay. Raises Problem 422 when the key was used for another
        call.
        """
        fingerprint = hashlib.sha256(rfc8785.dumps([tool, arguments])).hexdigest()
        with transaction(self.connection):
            replay = self._replay(caller.key, fingerprint)
            if replay is not None:
                return replay, True
            answer = effect(arguments)
            self._record(caller, fingerprint, tool, arguments, answer)
        return answer, False

    def answer(self, key: str) -> JsonObject | None:
        """Return the stored answer of a key, None when no effect happened under it."""
        row = self._row(key)
        return None if row is None else row[1]

    def effects(self) -> list[JsonObject]:
        """Return every effect in the order they happened."""
        rows = self.connection.execute(
            "SELECT key, tool, arguments, answer, principal, traceparent, at"
            " FROM effects WHERE scope = ? ORDER BY number",
            (self.scope,),
        )
        return [
            {
                "key": key,
                "tool": tool,
                "arguments": json.loads(arguments),
                "answer": json.loads(answer),
                "principal": principal,
                "traceparent": traceparent,
                "at": at,
            }
            for key, tool, arguments, answer, principal, traceparent, at in rows
        ]

    def _row(self, key: str) -> tuple[str, JsonObject] | None:
        statement = "SELECT fingerprint, answer FROM effects WHERE scope = ? AND key = ?"
        row = self.connection.execute(statement, (self.scope, key)).fetchone()
        return None if row is None else (row[0], json.loads(row[1]))

    def _replay(self, key: str | None, fingerprint: str) -> JsonObject | None:
        row = None if key is None else self._row(key)
        if row is None:
            return None
        if row[0] != fingerprint:
            raise Problem(422, "idempotency_key_reused", "this Idempotency-Key was used for another call")
        return row[1]

    def _record(
        self, caller: Caller, fingerprint: str, tool: str, arguments: JsonObject, answer: JsonObject
    ) -> None:
        self.connection.execute(
            "INSERT INTO effects"
            " (scope, key, fingerprint, tool, arguments, answer, principal, traceparent, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.scope,
                caller.key,
                fingerprint,
                tool,
                json.dumps(arguments),
                json.dumps(answer),
                caller.principal,
                caller.traceparent,
                datetime.now(UTC).isoformat(),
            ),
        )
