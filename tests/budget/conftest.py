"""The company of the driver's tests, with the budgets' books at hand."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from runs import versions
from tests.budget.watch import connect
from tests.runs.conftest import company, others_wait

__all__ = ["company", "others_wait"]  # fixtures


@pytest.fixture
def books() -> Iterator[psycopg.Connection]:
    """Provide a connection that nobody else uses."""
    with connect() as connection:
        yield connection


@pytest.fixture(autouse=True)
def _fresh_prices() -> None:
    """A process keeps prices for some seconds; another test's are not these."""
    versions._prices.clear()
