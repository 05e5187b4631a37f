"""The shared retail data: read where it lies, beside this checkout, and never copied into it."""

from __future__ import annotations

import pytest

from runs.bench.retail import FOLDER, Database, JsonObject, load_database, load_requests, load_tools

__all__ = ["ABSENT", "Database", "JsonObject", "load_database", "load_requests", "load_tools", "needs_data"]

ABSENT = "shared retail data is not beside this checkout"
needs_data = pytest.mark.skipif(not FOLDER.is_dir(), reason=ABSENT)
