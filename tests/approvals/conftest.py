"""Requests that a real run asked for."""

from __future__ import annotations

import pytest

from approvals.models import ApprovalRequest
from runs.models import Run
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.conftest import company

__all__ = ["company"]


@pytest.fixture
def run(company: Company) -> Run:
    """A run that looked an order up and waits for Fiona to decide about a refund."""
    company.add_reads()
    version = company.add_tool(
        "refund", effect="irreversible", grant="REQUIRE_APPROVAL", statement="refund order {order_id}"
    )
    company.let_decide(version.tool)
    return company.run(
        proposes(("look_up", ORDER)),
        proposes(("refund", ORDER), text="The order arrived broken."),
        says("Refunded."),
        message="Please refund my order.",
    )


@pytest.fixture
def waiting(run: Run) -> ApprovalRequest:
    """The request itself."""
    return ApprovalRequest.objects.select_related("tool", "identity").get()
