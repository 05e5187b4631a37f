"""The shop's records in SQLite, in the same database as its effects, so that both change in one commit."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING

from agentops.demo.effects import EffectLog, connect, transaction
from agentops.demo.shop.seed import load_seed

if TYPE_CHECKING:
    from agentops.demo.shop.seed import Kind
    from agentops.demo.toolserver import JsonObject

TABLE = "CREATE TABLE IF NOT EXISTS records (kind TEXT, id TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, id))"


class Store:
    """Customers, products and orders by id. A record is a JSON object; what you get is yours to change."""

    def __init__(self, path: str = ":memory:") -> None:
        """Open the file (or a database in memory) and fill it with the seed data if it is new."""
        self.connection: sqlite3.Connection = connect(path)
        self.log = EffectLog(self.connection)
        with transaction(self.connection):
            self.connection.execute(TABLE)
            if not self.all("products"):
                self._fill()

    def find(self, kind: Kind, record_id: str) -> JsonObject | None:
        """Return one record, None when there is none of that id."""
        statement = "SELECT body FROM records WHERE kind = ? AND id = ?"
        row = self.connection.execute(statement, (kind, record_id)).fetchone()
        return None if row is None else json.loads(row[0])

    def all(self, kind: Kind) -> list[JsonObject]:
        """Return every record of a kind, ordered by id."""
        rows = self.connection.execute("SELECT body FROM records WHERE kind = ? ORDER BY id", (kind,))
        return [json.loads(body) for (body,) in rows]

    def put(self, kind: Kind, record: JsonObject) -> None:
        """Write one record over what stood under its id."""
        statement = "INSERT OR REPLACE INTO records (kind, id, body) VALUES (?, ?, ?)"
        self.connection.execute(statement, (kind, record["id"], json.dumps(record)))

    def _fill(self) -> None:
        for kind, records in load_seed().items():
            for record in records.values():
                self.put(kind, record)
