"""Two agents of one team, of which one works for the other; and the safe default: what loosens takes two people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from identities.models import AgentIdentity
from runs.models import Run
from runs.services import start_run
from tests.api.conftest import callers, keys
from tests.factories import AgentFactory, AgentVersionFactory, GrantFactory
from tests.runs.company import ISSUER, SUBJECT, Company
from tests.runs.conftest import company
from tools.models import Tool

__all__ = ["callers", "company", "keys"]


@dataclass
class Desk:
    """A company whose agent is worked for by others."""

    company: Company

    def hire(self, *, grants: dict[str, Any] | None = None) -> AgentIdentity:
        """Add an agent that offers all tools, and holds these grants: by the tool's name, the terms."""
        agent: AgentIdentity = AgentFactory.create(team=self.company.cast.team)
        assign_perm("start_run", self.company.cast.application.service_account, agent)
        AgentVersionFactory.create(
            identity=agent, model=self.company.model, catalogue=self.company.versions, published=True
        )
        for name, terms in (grants or {}).items():
            tool = Tool.objects.get(name=name, team=agent.team)
            GrantFactory.create(identity=agent, tool=tool, **terms)
        return agent

    def start(self, agent: AgentIdentity, **more: Any) -> Run:
        """Start a run of an agent through the application."""
        application = self.company.cast.application
        return start_run(
            actor=application.service_account, agent=agent, message="Please help.", issuer=ISSUER,
            subject=more.pop("subject", SUBJECT), application=application, **more,
        )  # fmt: skip


@pytest.fixture
def desk(company: Company) -> Desk:
    return Desk(company)


Taking = Callable[[Desk, Run], object]
