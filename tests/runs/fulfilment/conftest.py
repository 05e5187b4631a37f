"""A company whose agent declares a type of task; the shop of the lookups; and its document, for those who apply it."""

from __future__ import annotations

import pytest

from tests.runs.company import Company
from tests.runs.fulfilment.refunds import REFUND
from tests.runs.lookups.conftest import shop

__all__ = ["shop"]


@pytest.fixture
def refunds(company: Company) -> Company:
    """Provide a company that looks orders up, and gives money back."""
    company.add_reads()
    company.add_tool("refund")
    company.publish(tasks=[REFUND])
    return company
