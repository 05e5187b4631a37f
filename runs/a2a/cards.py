"""Agent cards: what is published of an exposed agent, signed with the installation's key."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from agentops.errors import NotFound, StateConflict
from identities.models import AgentIdentity
from identities.oauth.documents import sign_document
from identities.oauth.metadata import endpoint_url, issuer
from identities.oauth.signing_keys import keeper
from identities.services.signing_keys import ensure_signing_key
from runs.a2a.admitting import SUBJECT_TOKEN
from runs.a2a.messages import ANY, TASK
from runs.fulfilment.declared import read_tasks
from runs.models import EXTERNAL, AgentVersion
from runs.starting import published_version

Json = dict[str, Any]  # Any: JSON

PREFIX = "/a2a"
WELL_KNOWN = "/.well-known/agent-card.json"
REST = "/v1"
PROTOCOL = "1.0"
MEDIA = ["text/plain", "application/json"]


def find_only_exposed() -> str:
    """Return the slug of the one agent that is exposed; raises NotFound where there are none, or several."""
    slugs = list(AgentIdentity.objects.filter(exposed=True).values_list("slug", flat=True)[:2])
    if len(slugs) != 1:
        raise NotFound("no_card", "there is no card at this place")
    return str(slugs[0])


def write_card(slug: str) -> Json:
    """Return the signed card of an agent; raises NotFound unless it is exposed and could be given a task."""
    agent = AgentIdentity.objects.select_related("team").filter(slug=slug, exposed=True).first()
    if agent is None or not agent.may_act(timezone.now()):
        raise NotFound("no_card", "there is no card at this place")
    try:
        version = published_version(agent)
    except StateConflict:
        raise NotFound("no_card", "there is no card at this place") from None
    if version.planner == EXTERNAL or version.principal_source != AgentVersion.PrincipalSource.APPLICATION:
        raise NotFound("no_card", "there is no card at this place")
    if keeper.present().signing is None:
        ensure_signing_key()
    return sign_document(_describe(agent, version), endpoint_url("jwks"))


def _describe(agent: AgentIdentity, version: AgentVersion) -> Json:
    base = f"{issuer()}{PREFIX}/{agent.slug}"
    places = {"JSONRPC": base, "HTTP+JSON": f"{base}{REST}"}
    return {
        "name": agent.name,
        "description": agent.purpose,
        "version": str(version.number),
        "provider": {"organization": agent.team.name, "url": issuer()},
        "supportedInterfaces": [
            {"url": url, "protocolBinding": binding, "protocolVersion": PROTOCOL}
            for binding, url in places.items()
        ],
        "capabilities": {"streaming": True, "pushNotifications": False, "extendedAgentCard": False},
        "securitySchemes": _SCHEMES,
        "securityRequirements": [
            {"schemes": {"application": {}, "user": {}}},
            {"schemes": {"application": {}}},
        ],
        "defaultInputModes": MEDIA,
        "defaultOutputModes": MEDIA[:1],
        "skills": _list_skills(agent, version),
    }


_SCHEMES: Json = {
    "application": {
        "httpAuthSecurityScheme": {
            "scheme": "Bearer",
            "description": "The key or access token of an application that may start this agent.",
        }
    },
    "user": {
        "apiKeySecurityScheme": {
            "location": "header",
            "name": SUBJECT_TOKEN,
            "description": "A token of the user for whom the task is. Who is trusted to name users may do so instead.",
        }
    },
}


def _list_skills(agent: AgentIdentity, version: AgentVersion) -> list[Json]:
    """Return the declared types of tasks; of an agent that declares none, one skill without a name of a task."""
    tasks = read_tasks(version.tasks)
    if not tasks:
        return [{"id": ANY, "name": agent.name, "description": agent.purpose, "tags": ["task"]}]
    told = f"Name it in the message's metadata under {TASK}."
    return [
        {
            "id": task.name,
            "name": task.name.replace("_", " "),
            "description": task.description or told,
            "tags": ["task"],
        }
        for task in tasks
    ]
