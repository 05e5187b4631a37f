"""An agent's versions and the tools that they offer, read once by a page that looks at them in several places."""

from __future__ import annotations

from django.db.models import Case, When

from agentops.look_once import look_once
from identities.models import AgentIdentity
from runs.models import AgentVersion
from tools.models import ToolVersion
from tools.services.linting import with_previews

NEWEST = 6


def read_versions(agent: AgentIdentity) -> list[AgentVersion]:
    """Return an agent's newest versions; before them the published one, which may be older."""
    is_published = Case(When(state="published", then=0), default=1)
    rows = AgentVersion.objects.filter(identity=agent).order_by(is_published, "-number")[:NEWEST]
    found = look_once(("versions", agent.pk), lambda: list(rows))
    for version in found:
        version.identity = agent  # with its team and its owner, which are known here
    return found


def find_offered(agent: AgentIdentity) -> AgentVersion | None:
    """Return the published version of an agent, or else the newest that is not retired."""
    newest = read_versions(agent)
    found = next((version for version in newest if version.state != "retired"), None)
    if found is None and len(newest) == NEWEST:
        versions = AgentVersion.objects.filter(identity=agent).exclude(state="retired")
        return versions.order_by("-number").first()
    return found


def read_catalogue(version: AgentVersion) -> list[ToolVersion]:
    """Return the tools of a version by name, each with whether something shows what its calls change."""
    rows = with_previews(version.catalogue.select_related("tool")).order_by("tool__name", "number")
    return look_once(("catalogue", version.pk), lambda: list(rows))
