"""A company whose agent has a set of cases, and the evaluations of it."""

from __future__ import annotations

import pytest

from tests.runs.company import Company


@pytest.fixture
def refunds(company: Company) -> Company:
    """Provide a company that looks orders up, and gives money back."""
    company.add_reads()
    company.add_tool("refund")
    company.publish()
    return company
