"""The shared retail data: read where it lies, beside this checkout, and never copied into it."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

JsonObject = dict[str, Any]  # Any: JSON values
Database = dict[str, dict[str, JsonObject]]  # "products" | "users" | "orders" → id → record

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "retail"
ABSENT = "shared retail data is not beside this checkout"
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)


@cache
def load_database() -> Database:
    """Return the products, users and orders. One copy per process, which nobody may change."""
    database: Database = json.loads(gzip.decompress((FOLDER / "retail_db.json.gz").read_bytes()))
    return database


@cache
def load_tools() -> tuple[JsonObject, ...]:
    """Return the 16 tools: name, description, inputSchema, kind (read | write | generic)."""
    return tuple(json.loads((FOLDER / "retail_tools.json").read_text(encoding="utf-8")))


@cache
def load_requests() -> tuple[JsonObject, ...]:
    """Return the 74 requests: id, purpose, request (texts), actions (the recorded calls, in order)."""
    return tuple(json.loads((FOLDER / "requests.json").read_text(encoding="utf-8")))
