"""A house in which one agent gives tasks to others of its team, driven in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from guardian.shortcuts import assign_perm

from identities.models import AgentIdentity
from runs import queues, tasks
from runs.models import Run
from tests.factories import AgentFactory, AgentVersionFactory, GrantFactory
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tools.models import ToolVersion

__all__ = ["company"]

SHARE: dict[str, Any] = {"steps": 2, "tokens": 20_000, "usd": "0.10", "seconds": 60}
TASK = {
    "type": "object",
    "properties": {"topic": {"type": "string"}, "order_id": {"type": "string"}},
    "required": ["topic"],
    "additionalProperties": False,
}


@dataclass
class House:
    """A company whose agent may give tasks to others."""

    company: Company
    workers: dict[str, AgentIdentity] = field(default_factory=dict)

    def hire(self, slug: str, *versions: ToolVersion, **changes: Any) -> AgentIdentity:
        """Add an agent that has these tools, each allowed."""
        agent: AgentIdentity = AgentFactory.create(team=self.company.cast.team, slug=slug, name=slug.title())
        assign_perm("start_run", self.company.cast.application.service_account, agent)
        AgentVersionFactory.create(
            identity=agent, model=self.company.model, catalogue=list(versions), published=True, **changes
        )
        for version in versions:
            GrantFactory.create(identity=agent, tool=version.tool, decision="ALLOW")
        self.workers[slug] = agent
        return agent

    def add_delegation(self, slug: str = "researcher", name: str = "", **config: Any) -> ToolVersion:
        """Let the company's agent give tasks to another, on these terms."""
        terms = {
            key.removeprefix("tool_"): config.pop(key) for key in list(config) if key.startswith("tool_")
        }
        told = {"agent": slug, "share": SHARE, **config}
        return self.company.add_tool(
            name or f"ask_{slug}", adapter="agent", effect="read", config=told, input_schema=TASK,
            idempotency="none", **{"output_schema": None, **terms},
        )  # fmt: skip

    def children(self, run: Run) -> list[Run]:
        return list(Run.objects.filter(parent=run).order_by("id"))

    def ask(self, *tasks: tuple[str, dict[str, Any]], **more: Any) -> Run:
        """Start the company's agent, and drive it until it waits for those to whom it gives these tasks."""
        self.company.play(proposes(*tasks))
        return self.company.drive(self.company.start(**more))

    def answer(self, child: Run, text: str = "It is blue.", *turns: Any) -> Run:
        """Drive a child to its end."""
        self.company.play(*turns, says(text))
        return self.company.drive(child)

    def finish(self, run: Run, text: str = "Done.") -> Run:
        """Drive the parent on, to its answer."""
        self.company.play(says(text))
        return self.company.drive(run)


def collect_swept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let the sweeper go round once; return the runs that it sends."""
    sent: list[str] = []

    def note(task: str, run_id: str, **_: object) -> bool:
        sent.append(run_id)
        return True

    monkeypatch.setattr(queues, "send_now", note)
    tasks.sweep()
    return sent


@pytest.fixture
def house(company: Company) -> House:
    """Provide a house with a researcher, to whom the company's agent may give tasks."""
    made = House(company)
    made.hire("researcher")
    made.add_delegation()
    return made
