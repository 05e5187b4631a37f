"""Whether what a definition says of its server is so: the team's own, in use, and at no other place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from agentops.errors import StateConflict
from identities.models import Application, Secret, Team
from tools.adapters.mcp.config import find_faults
from tools.models import ServerTool, Tool, ToolServer
from tools.services.definition import ToolDefinition

NO_TOOL = {"tool": "any", "digest": "0" * 64}
PLACE = ("url", "command", "audience", "credential", "allow_private")


def config_of(server: ToolServer) -> dict[str, Any]:  # Any: JSON
    """Return what the configuration of each of a server's tools says of it."""
    told = {name: getattr(server, name) for name in PLACE if getattr(server, name)}
    return {"server": str(server.id), **told}


def find_target_faults(server: ToolServer) -> list[str]:
    """Return what has to be put right before a server may be named."""
    if bool(server.command) is not (server.transport == ToolServer.Transport.STDIO):
        return ["name a command for stdio, and an address for http"]
    faults = find_faults({**config_of(server), **NO_TOOL}, settings.MCP_COMMANDS)
    team = {"team": server.team, "state": "active"}
    if server.audience and not Application.objects.filter(audience=server.audience, **team).exists():
        faults.append("name as audience what an active application of the team serves")
    if server.credential and not Secret.objects.filter(slug=server.credential, **team).exists():
        faults.append("name as credential the slug of a secret of the team that is not retired")
    return faults


def find_server_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right in a tool's definition, worded as "where: what"."""
    if definition.adapter != "mcp" or find_faults(definition.config, settings.MCP_COMMANDS):
        return
    server = ToolServer.objects.filter(
        pk=definition.config["server"], team=team, state=ToolServer.State.ACTIVE
    ).first()
    if server is None:
        yield "config: name as server one of the tool's team that is not retired"
        return
    told = {name: definition.config[name] for name in ("server", *PLACE) if definition.config.get(name)}
    if told != config_of(server):
        yield f"config: say of the server {server.slug} what it was created with, or create another"


def refuse_unaccepted(tool: Tool) -> None:
    """Raise StateConflict for a tool whose server describes it differently now: that is accepted by importing it."""
    for row in ServerTool.objects.filter(tool=tool):
        if row.is_changed:
            detail = f"{tool.name} is not what was accepted: look at what has changed, and import it anew"
            raise StateConflict("definition_changed", detail)
