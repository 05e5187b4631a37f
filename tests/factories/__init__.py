"""Rows for tests: minimal, valid, written past the services.

Write ``PersonFactory.create(…)``: unlike a call of the class, mypy understands it.
"""

from tests.factories.approvals import ApprovalRequestFactory
from tests.factories.identities import (
    AgentFactory,
    ApplicationFactory,
    PersonFactory,
    PrincipalFactory,
    TeamFactory,
    give_second_factor,
)
from tests.factories.runs import AgentVersionFactory, BudgetFactory, PriceFactory, RunFactory
from tests.factories.tools import GrantFactory, ToolFactory, ToolVersionFactory

__all__ = [
    "AgentFactory",
    "AgentVersionFactory",
    "ApplicationFactory",
    "ApprovalRequestFactory",
    "BudgetFactory",
    "GrantFactory",
    "PersonFactory",
    "PriceFactory",
    "PrincipalFactory",
    "RunFactory",
    "TeamFactory",
    "ToolFactory",
    "ToolVersionFactory",
    "give_second_factor",
]
