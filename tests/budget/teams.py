"""Several agents of one team, each with a ceiling of its own, and their runs."""

from __future__ import annotations

from typing import Any

from guardian.shortcuts import assign_perm

from identities.models import AgentIdentity
from runs.models import Run
from runs.services import start_run
from tests.factories import AgentFactory, AgentVersionFactory, BudgetFactory, GrantFactory
from tests.runs.company import ISSUER, SUBJECT, Company


def hire(company: Company, number: int, ceiling: dict[str, Any], limits: dict[str, Any]) -> AgentIdentity:
    """Add an agent with a ceiling per hour and a published version."""
    agent: AgentIdentity = AgentFactory.create(team=company.cast.team, slug=f"racer-{number}")
    tool = company.versions[0].tool
    GrantFactory.create(identity=agent, tool=tool)
    assign_perm("start_run", company.cast.application.service_account, agent)
    if ceiling:
        BudgetFactory.create(
            team=company.cast.team, identity=agent, window="month", **{"max_usd": None, **ceiling}
        )
    AgentVersionFactory.create(
        identity=agent, model=company.model, catalogue=company.versions, published=True, **limits
    )
    return agent


def start(company: Company, agent: AgentIdentity) -> Run:
    return start_run(
        actor=company.cast.application.service_account,
        agent=agent,
        message="Please help.",
        issuer=ISSUER,
        subject=SUBJECT,
        application=company.cast.application,
    )
