"""The company's agent as agents of others see it: behind a real server, with a worker, and the official client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.runs.a2a.served import Served, serving
from tests.runs.company import Company
from tests.runs.conftest import company

__all__ = ["company"]  # a fixture


@pytest.fixture
def served(company: Company, settings: Settings) -> Iterator[Served]:
    """Provide the exposed agent, with a tool that reads and one that refunds."""
    company.add_reads()
    company.add_tool("refund")
    with serving(company, settings) as made:
        yield made
