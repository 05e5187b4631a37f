"""A company whose agent remembers, reads a mailbox that strangers write to, and can write and pay."""

from __future__ import annotations

import pytest

from tests.runs.company import Company
from tests.runs.test_plans import BANK, SEND


@pytest.fixture
def desk(company: Company) -> Company:
    """Return the company, its version published with ``memory: auto``."""
    company.add_tool("send_email", **SEND)
    company.add_tool("send_money", **BANK)
    results = {"": ["untrusted"], "contacts": ["trusted"], "secrets": ["trusted", "sensitive"]}
    company.add_tool("read_mail", effect="read", function="look_up", provenance={"results": results})
    for version in company.versions:
        company.let_decide(version.tool)
    company.publish(memory="auto")
    return company
