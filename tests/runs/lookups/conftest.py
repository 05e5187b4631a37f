"""The shop."""

from __future__ import annotations

import pytest

from tests.runs.company import Company
from tests.runs.deeds import WORLD
from tests.runs.lookups.shop import READ, TRUSTED, order


@pytest.fixture
def shop(company: Company) -> Company:
    """Provide a shop with orders of two customers, and a tool that cancels what is described to it."""
    company.add_tool("find_orders", provenance=TRUSTED, **READ)
    WORLD.shelf += [
        order("A-1", "Blue kettle"), order("A-2", "Red kettle"), order("A-3", "Green lamp"),
        order("B-1", "Secret yacht", "somebody-else"),
    ]  # fmt: skip
    return company
