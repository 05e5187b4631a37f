"""The desk at which agents propose, with real workers."""

from __future__ import annotations

from tests.runs.conftest import company
from tests.undo.conftest import desk

__all__ = ["company", "desk"]  # fixtures
