"""Servers of tools: named, asked what they have, retired; and one tool of theirs taken over at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row
from identities.factors import require_fresh_factor
from identities.models import Secret, Team, User
from identities.policies import require
from identities.services.signing_keys import ensure_signing_key
from tools.adapters.mcp.definitions import tighten_effect
from tools.adapters.mcp.forms import ANSWERS, add_answers, find_form_faults
from tools.calls import AUDIENCE, CREDENTIAL
from tools.models import ServerTool, Tool, ToolServer, ToolVersion
from tools.services.audiences import header_of
from tools.services.catalogue import CHANGE, accept_tool, add_version, create_tool, lock_tool, retire_tool
from tools.services.definition import ToolDefinition
from tools.services.origins import (
    config_of,
    describe_call,
    describe_function_call,
    describe_task,
    find_target_faults,
)
from tools.services.refreshing import refresh

ADD = "tools.add_tool"


@dataclass(frozen=True, slots=True)
class ServerDefinition:
    """Where a server is, and what it asks for; fields are those of ToolServer."""

    transport: str
    url: str = ""
    command: str = ""
    audience: str = ""
    credential: str = ""
    allow_private: bool = False
    document_url: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a person decides about a tool that is taken over; the rest is the server's own description.

    Only for operations of an interface and for functions: ``description`` in words of one's own, and the slug of a
    ``credential`` instead of the server's. Only for functions: the name of the one that is their ``read_back``.
    """

    name: str
    effect: str
    statement: str = ""
    idempotency: str = "none"
    error_is_refusal: bool = False
    asks: Mapping[str, Any] = field(default_factory=dict)  # Any: the forms that it may ask for, JSON Schemas
    description: str = ""
    credential: str = ""
    read_back: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)  # Any: further fields of ToolDefinition


@transaction.atomic
def create_server(*, actor: User, team: Team, slug: str, definition: ServerDefinition) -> ToolServer:
    """Name a server of tools; raises ValidationFailed for one that must not be reached or started."""
    require(actor, ADD, team)
    require_fresh_factor(actor)
    server = ToolServer(team=team, slug=slug, **asdict(definition))
    faults = find_target_faults(server)
    if faults:
        raise ValidationFailed("invalid_server", "; ".join(faults), problems=faults)
    insert_row(server)
    if server.audience:
        ensure_signing_key()
    record_server(server, "server.created", actor, {"slug": slug, "team": str(team.id), **asdict(definition)})
    return server


def refresh_server(*, actor: User, server: ToolServer, document: str = "") -> ToolServer:
    """Ask a server what it has now. What is described differently from what was accepted is quarantined.

    ``document``: the text of an OpenAPI document that somebody brings, instead of the one at the server's address for
    it. Raises ValidationFailed for one that cannot be read, StateConflict where there is none.
    """
    require(actor, ADD, server.team)
    require_fresh_factor(actor)
    if server.state == ToolServer.State.RETIRED:
        raise StateConflict("server_retired", f"the server {server.slug} is retired")
    is_interface = server.transport == ToolServer.Transport.OPENAPI
    if document and not is_interface:
        raise StateConflict(
            "no_interface", f"the server {server.slug} is asked, and described by no document"
        )
    if is_interface and not document and not server.document_url:
        raise StateConflict("no_document", f"bring the document of {server.slug}: it has no address")
    return refresh(server, actor, document)


@transaction.atomic
def import_tool(*, actor: User, described: ServerTool, takeover: Takeover, seen: str) -> ToolVersion:
    """Make a tool, or its next version, of what a server describes now; that accepts a changed description.

    The effect class is the person's, or a stricter one that the server admits. ``seen``: the digest of what the person
    looked at. Raises ValidationFailed for a description that cannot be taken over, StateConflict for another one than
    was seen, and for a name that another tool has.
    """
    row = (
        ServerTool.objects.select_for_update(of=("self",)).select_related("server__team").get(pk=described.pk)
    )
    require(actor, ADD, row.server.team)
    require_fresh_factor(actor)
    _refuse_unusable(row)
    if row.digest != seen:
        raise StateConflict(
            "definition_changed", "the server has changed the tool since you looked: look again"
        )
    tool = lock_tool(row.tool) if row.tool else _local_tool(actor, row, takeover.name)
    version = add_version(actor=actor, tool=tool, definition=_define(row, takeover))
    row.tool, row.accepted, row.accepted_digest = tool, row.described, row.digest
    newest = row.server.documents.order_by("-taken_at").values_list("digest", flat=True).first()
    row.accepted_document = newest or ""
    row.save(update_fields=["tool", "accepted", "accepted_digest", "accepted_document"])
    if tool.state == Tool.State.QUARANTINED:
        accept_tool(actor=actor, tool=tool, reason="Its description was accepted as it is now.")
    facts = {"tool": str(tool.id), "version": str(version.id), "digest": row.digest}
    facts |= {"document": newest} if newest else {}
    record_server(row.server, "server.tool_imported", actor, facts)
    return version


@transaction.atomic
def retire_server(*, actor: User, server: ToolServer, reason: str = "") -> ToolServer:
    """Take a server out of use for good, and all of its tools with it."""
    locked = ToolServer.objects.select_for_update(of=("self",)).select_related("team").get(pk=server.pk)
    require(actor, CHANGE, locked.team)
    require_fresh_factor(actor)
    if locked.state == ToolServer.State.RETIRED:
        raise StateConflict("server_retired", f"the server {locked.slug} is retired already")
    locked.state = ToolServer.State.RETIRED
    locked.save(update_fields=["state"])
    for tool in Tool.objects.filter(origins__server=locked).exclude(state=Tool.State.RETIRED).order_by("id"):
        retire_tool(actor=actor, tool=tool, reason=reason)
    record_server(locked, "server.retired", actor, {}, reason)
    return locked


def record_server(
    server: ToolServer, kind: str, actor: User, facts: Mapping[str, object], reason: str = ""
) -> None:
    """Write an entry of the server's stream."""
    content = {"reason": reason} if reason else None
    record(server.id, "server", Draft(kind, timezone.now(), dict(facts), content, actor.id))


def _refuse_unusable(row: ServerTool) -> None:
    if row.server.state == ToolServer.State.RETIRED:
        raise StateConflict("server_retired", f"the server {row.server.slug} is retired")
    if not row.is_listed:
        raise StateConflict("tool_not_listed", f"the server does not list {row.name} any more")
    if row.faults:
        raise ValidationFailed("invalid_tool", "; ".join(row.faults), problems=list(row.faults))


def _local_tool(actor: User, row: ServerTool, name: str) -> Tool:
    """Return the tool that a name is for: one that was made for it and is nothing yet, or a new one."""
    empty = Tool.objects.filter(team=row.server.team, name=name, versions=None, origins=None).first()
    return empty or create_tool(actor=actor, team=row.server.team, name=name)


def _define(row: ServerTool, takeover: Takeover) -> ToolDefinition:
    if row.server.transport == ToolServer.Transport.OPENAPI:
        return _define_operation(row, takeover)
    if row.server.transport == ToolServer.Transport.PYTHON:
        return _define_function(row, takeover)
    if row.server.transport == ToolServer.Transport.A2A:
        return _define_task(row, takeover)
    if takeover.description or takeover.credential or takeover.read_back:
        raise ValidationFailed(
            "invalid_tool", "a tool of an MCP server is described by it, and let in as it says"
        )
    told = row.described
    marks: dict[str, Any] = {"error_is_refusal": True} if takeover.error_is_refusal else {}
    marks |= {"asks": dict(takeover.asks)} if takeover.asks else {}
    return ToolDefinition(
        description=told["description"],
        effect=tighten_effect(takeover.effect, told["annotations"]),
        idempotency=takeover.idempotency,
        adapter="mcp",
        input_schema=_with_answers(told["input_schema"], takeover.asks),
        output_schema=told["output_schema"],
        statement=takeover.statement,
        config={**config_of(row.server), "tool": row.name, "digest": row.digest, **marks},
        **takeover.terms,
    )


def _with_answers(schema: dict[str, Any], asks: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON Schemas
    if not asks:
        return schema
    if faults := find_form_faults(asks):
        raise ValidationFailed("invalid_tool", "; ".join(faults), problems=faults)
    if ANSWERS in schema.get("properties", {}):
        raise ValidationFailed("invalid_tool", f"it has an argument of its own that is called {ANSWERS}")
    return add_answers(schema, asks)


def _define_operation(row: ServerTool, takeover: Takeover) -> ToolDefinition:
    told, server = row.described, row.server
    if takeover.error_is_refusal or takeover.asks or takeover.read_back:
        raise ValidationFailed(
            "invalid_tool", "what an error means says its status: nothing else is declared"
        )
    config = describe_call(server, told, row.digest, takeover.credential)
    _refuse_closed_door(server, told, config)
    return ToolDefinition(
        description=takeover.description or told["description"],
        effect=tighten_effect(takeover.effect, told["annotations"]),
        idempotency=takeover.idempotency,
        adapter="http",
        input_schema=told["input_schema"],
        output_schema=told["output_schema"],
        statement=takeover.statement,
        config=config,
        **takeover.terms,
    )


def _define_function(row: ServerTool, takeover: Takeover) -> ToolDefinition:
    told, server = row.described, row.server
    if takeover.error_is_refusal or takeover.asks:
        raise ValidationFailed(
            "invalid_tool", "what an error means says its class: nothing else is declared of a function"
        )
    config = describe_function_call(server, told, row.digest, takeover.credential)
    config |= {"read_back": f"{server.module}:{takeover.read_back}"} if takeover.read_back else {}
    return ToolDefinition(
        description=takeover.description or told["description"],
        effect=takeover.effect,
        idempotency=takeover.idempotency,
        adapter="python",
        input_schema=told["input_schema"],
        output_schema=told["output_schema"],
        statement=takeover.statement,
        config=config,
        **takeover.terms,
    )


def _define_task(row: ServerTool, takeover: Takeover) -> ToolDefinition:
    """Return a task for an agent elsewhere; whether it has an effect on the world is the person's word alone."""
    if takeover.asks or takeover.credential or takeover.read_back:
        raise ValidationFailed("invalid_tool", "an agent is let in to as its server says, and asks nothing")
    told = row.described
    marks: dict[str, Any] = {"error_is_refusal": True} if takeover.error_is_refusal else {}  # Any: JSON
    return ToolDefinition(
        description=takeover.description or told["description"],
        effect=takeover.effect,
        idempotency=takeover.idempotency,
        adapter="a2a",
        statement=takeover.statement,
        config={**describe_task(row.server, told, row.digest), **marks},
        **{"input_schema": told["input_schema"], **takeover.terms},
    )


def _refuse_closed_door(
    server: ToolServer, told: Mapping[str, Any], config: Mapping[str, Any]
) -> None:  # Any: JSON
    """Raise ValidationFailed where calls would bring nothing, or something else, than the operation lets in by."""
    ways = told["security"]
    if not ways:
        return
    headers = {way["header"].lower() for way in ways}
    brought = {"authorization"} if config.get(AUDIENCE) else set()
    slug = config.get(CREDENTIAL)
    if slug:
        secret = Secret.objects.filter(team=server.team, slug=slug).first()
        brought |= {header_of(secret).lower()} if secret is not None else set()
    if headers & brought or (slug and not brought):  # a secret that is not there is refused as such
        return
    wanted = " or ".join(sorted({way["header"] for way in ways}))
    detail = f"it lets in who sends {wanted}: name as credential a secret that is sent there"
    raise ValidationFailed("no_credential", detail)
