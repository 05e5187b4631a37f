"""Whether what a definition says of its server is so: the team's own, in use, and at no other place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from agentops.errors import StateConflict
from identities.models import Application, Secret, Team
from tools.adapters.a2a.config import ADAPTER, OWN, have_one_origin
from tools.adapters.a2a.config import find_faults as find_remote_faults
from tools.adapters.http.config import find_address_faults, find_base_faults
from tools.adapters.http.origin import find_origin_faults
from tools.adapters.mcp.config import find_faults
from tools.calls import AUDIENCE, CREDENTIAL
from tools.models import ServerTool, Tool, ToolServer
from tools.services.definition import ToolDefinition
from tools.services.modules import find_module_faults

NO_TOOL = {"tool": "any", "digest": "0" * 64}
FREE = ("read_back", "response_limit_bytes", "headers", CREDENTIAL)  # a person's to say, of an operation
PLACE = ("url", "command", "audience", "credential", "allow_private")


def config_of(server: ToolServer) -> dict[str, Any]:  # Any: JSON
    """Return what the configuration of each of a server's tools says of it."""
    told = {name: getattr(server, name) for name in PLACE if getattr(server, name)}
    return {"server": str(server.id), **told}


def find_target_faults(server: ToolServer) -> list[str]:
    """Return what has to be put right before a server may be named."""
    if bool(server.command) is not (server.transport == ToolServer.Transport.STDIO):
        return ["name a command for stdio, and an address for http"]
    if server.module and server.transport != ToolServer.Transport.PYTHON:
        return ["leave the module empty: only functions of this installation have one"]
    if server.transport == ToolServer.Transport.OPENAPI:
        faults = _find_interface_faults(server)
    elif server.transport == ToolServer.Transport.PYTHON:
        faults = find_module_faults(server)
    elif server.transport == ToolServer.Transport.A2A:
        faults = _find_agent_faults(server)
    elif server.document_url:
        faults = ["leave the document's address empty: only an interface has one"]
    else:
        faults = find_faults({**config_of(server), **NO_TOOL}, settings.MCP_COMMANDS)
    team = {"team": server.team, "state": "active"}
    if server.audience and not Application.objects.filter(audience=server.audience, **team).exists():
        faults.append("name as audience what an active application of the team serves")
    if server.credential and not Secret.objects.filter(slug=server.credential, **team).exists():
        faults.append("name as credential the slug of a secret of the team that is not retired")
    return faults


def _find_agent_faults(server: ToolServer) -> list[str]:
    faults = [f"url: {fault}" for fault in find_base_faults(server.url)]
    if server.document_url:
        faults.append("leave the document's address empty: an agent's card is beside the agent")
    if server.audience and not have_one_origin(server.audience, server.url):
        faults.append("set url to the audience's own scheme, host and port")
    return faults


def describe_task(
    server: ToolServer, described: Mapping[str, Any], digest: str
) -> dict[str, Any]:  # Any: JSON
    """Return the configuration by which an agent's skill is called, all of it but what people say beside the card."""
    told = described["annotations"]
    header = {"token_header": told["token_header"]} if told["token_header"] else {}
    own = {"skill": described["name"], "digest": digest, "agent": told["agent"], "url": told["url"]}
    return {**config_of(server), **own, **header}


def _find_interface_faults(server: ToolServer) -> list[str]:
    faults = [f"url: {fault}" for fault in find_base_faults(server.url)] if server.url else []
    if server.document_url:
        faults += [f"document url: {fault}" for fault in find_address_faults(server.document_url)]
    return faults


def describe_function_call(
    server: ToolServer, described: Mapping[str, Any], digest: str, credential: str = ""
) -> dict[str, Any]:  # Any: JSON
    """Return the configuration by which a function is called; ``credential`` instead of its server's."""
    named = credential or server.credential
    return {
        "function": f"{server.module}:{described['name']}",
        "signature": digest,
        "origin": {"server": str(server.id), "operation": described["name"], "digest": digest},
        **({CREDENTIAL: named} if named else {}),
    }


def describe_call(
    server: ToolServer, described: Mapping[str, Any], digest: str, credential: str = ""
) -> dict[str, Any]:  # Any: JSON
    """Return the configuration by which an operation is called; ``credential`` instead of its server's."""
    request = dict(described["request"])
    path = request.pop("path")
    origin = {"server": str(server.id), "operation": described["name"], "digest": digest}
    config = {**request, "url": server.url.rstrip("/") + path, "origin": origin}
    is_open_door = described["security"] == []
    named = credential or ("" if is_open_door else server.credential)
    told = {CREDENTIAL: named, AUDIENCE: server.audience, "allow_private": server.allow_private}
    return {**config, **{name: value for name, value in told.items() if value}}


def _find_operation_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what a version by hand makes otherwise than the description that it says it was made of."""
    origin = definition.config["origin"]
    if find_origin_faults(origin):
        return  # which the adapter says
    row = (
        ServerTool.objects.filter(server=origin["server"], name=origin["operation"], server__team=team)
        .select_related("server").filter(server__state=ToolServer.State.ACTIVE).first()
    )  # fmt: skip
    described = None
    if row is not None:
        described = {row.accepted_digest: row.accepted, row.digest: row.described}.get(origin["digest"])
    if row is None or not described:
        yield "config: origin is no operation that a server of the team describes or that was accepted"
        return
    credential = definition.config.get(CREDENTIAL, "")
    told = {name: value for name, value in definition.config.items() if name not in FREE}
    describe = (
        describe_function_call if row.server.transport == ToolServer.Transport.PYTHON else describe_call
    )
    wanted = describe(row.server, described, origin["digest"], credential)
    if told != {name: value for name, value in wanted.items() if name not in FREE}:
        yield "config: leave what its document says as it was imported, or leave origin out"


def _find_task_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what a version by hand makes otherwise than the agent's card says."""
    config = definition.config
    if find_remote_faults(config):
        return  # which the adapter says
    row = (
        ServerTool.objects.filter(server=config["server"], name=config["skill"], server__team=team)
        .select_related("server").filter(server__state=ToolServer.State.ACTIVE).first()
    )  # fmt: skip
    known = {} if row is None else {row.accepted_digest: row.accepted, row.digest: row.described}
    described = known.get(config["digest"])
    if row is None or not described:
        yield "config: skill is none that an agent of the team describes or that was accepted"
        return
    told = {name: value for name, value in config.items() if name not in OWN}
    if told != describe_task(row.server, described, config["digest"]):
        yield "config: leave what its card says as it was imported"


def find_server_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right in a tool's definition, worded as "where: what"."""
    if definition.adapter in ("http", "python") and "origin" in definition.config:
        yield from _find_operation_faults(team, definition)
    if definition.adapter == ADAPTER:
        yield from _find_task_faults(team, definition)
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
