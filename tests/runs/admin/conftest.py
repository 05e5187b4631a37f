"""Runs that were really driven, to be looked at."""

from __future__ import annotations

import pytest

from runs.models import Run
from tests.runs.company import ORDER, Company, proposes, says


@pytest.fixture
def finished(company: Company) -> Run:
    """A run that looked something up and answered."""
    company.add_reads()
    return company.run(
        proposes(("look_up", ORDER), text="I look it up."), says("It is on its way."), message="Where is it?"
    )


@pytest.fixture
def asking(company: Company) -> Run:
    """A run that waits for its user."""
    company.add_reads()
    return company.run(proposes(("ask_user", {"question": "Which order?"})), says("Thank you."))
