"""Directories for real servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """Make a directory that the account of PostgreSQL can walk to, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="agentops-test-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory
