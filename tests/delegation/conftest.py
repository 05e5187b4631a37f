"""The house in which agents give tasks to others, in this process and with real workers."""

from __future__ import annotations

from tests.runs.conftest import company
from tests.undo.conftest import desk

__all__ = ["company", "desk"]  # fixtures
