"""Whether the agent that a tool calls is one of its team, and whether the tool can be called as agents are."""

from __future__ import annotations

from collections.abc import Iterator

from identities.models import AgentIdentity, Team
from tools.delegation import ADAPTER
from tools.models import Effect
from tools.services.definition import ToolDefinition


def find_agent_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right in the definition of a tool that calls an agent, worded as "where: what"."""
    slug = definition.config.get("agent")
    if definition.adapter != ADAPTER or not isinstance(slug, str):
        return
    # What the child does is assessed, gated and recorded as its own calls.
    if definition.effect != Effect.READ:
        yield "effect: to give a task away changes nothing, it is a read; what the other agent does has its own gates"
    if not AgentIdentity.objects.filter(team=team, slug=slug).exists():
        yield "config: name as agent the slug of an agent of the team"
    if definition.max_concurrency is not None:
        yield "max_concurrency: leave it out; how many children a run may have is a setting of the installation"
    if definition.resolvers or definition.bound:
        yield "resolvers, bound: leave them out; the agent that is called looks up for itself"
