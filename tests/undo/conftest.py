"""The desk whose effects are undone, with real workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs.company import Company
from tests.runs.conftest import company
from tests.undo.desk import Desk, open_desk

__all__ = ["company"]  # a fixture


@pytest.fixture
def desk(company: Company, tmp_path: Path) -> Iterator[Desk]:
    """Provide a desk at which nobody works yet."""
    with open_desk(company, tmp_path) as found:
        yield found
