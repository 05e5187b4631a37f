"""The catalogue: tools, their immutable versions, and whether they are in service."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import check_fields, insert_row
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require
from identities.services.signing_keys import ensure_signing_key
from tools.calls import AUDIENCE
from tools.models import Tool, ToolVersion
from tools.services.agent_faults import find_agent_faults
from tools.services.audiences import find_audience_faults
from tools.services.changes import describe_version
from tools.services.credentials import find_credential_faults
from tools.services.definition import ToolDefinition
from tools.services.faults import find_faults
from tools.services.origins import find_server_faults, refuse_unaccepted
from tools.services.preview_faults import find_preview_faults
from tools.services.resolver_faults import find_resolver_faults
from tools.services.table_faults import find_table_faults
from tools.services.undoing import find_undo_faults

# Offered to the model by runs themselves.
RESERVED_NAMES = ("ask_user", "hand_over", "declare_plan", "read_result", "remember", "recall")
OPERATE = "tools.operate_tool"
CHANGE = "tools.change_tool"


@transaction.atomic
def create_tool(*, actor: User, team: Team, name: str) -> Tool:
    """Create a tool that can do nothing yet; raises ValidationFailed for a name that no model could call."""
    require(actor, "tools.add_tool", team)
    if name in RESERVED_NAMES:
        raise ValidationFailed("reserved_name", f"{name} is a tool that every agent has")
    tool = Tool(team=team, name=name)
    if not 0 < len(name) <= 64 or not all(c.isascii() and (c.isalnum() or c in "_-") for c in name):
        raise ValidationFailed("invalid_name", "a tool's name has 1 to 64 letters, digits, _ and -")
    insert_row(tool)
    record_tool(tool, "tool.created", actor, {"name": name, "team": str(team.id)})
    return tool


@transaction.atomic
def add_version(*, actor: User, tool: Tool, definition: ToolDefinition) -> ToolVersion:
    """Add a version, or return the latest one if it is defined just so.

    Raises ValidationFailed with every fault of the definition, StateConflict for a retired tool, SecondPersonNeeded
    for a milder effect class, another amount to cap, or a call of something else.
    """
    locked = lock_tool(tool)
    require(actor, "tools.add_toolversion", locked.team, locked)
    if locked.state == Tool.State.RETIRED:
        raise StateConflict("tool_retired", f"tool {locked.name} is retired")
    faults = [
        *find_faults(definition),
        *find_credential_faults(locked.team, definition),
        *find_audience_faults(locked.team, definition),
        *find_server_faults(locked.team, definition),
        *find_table_faults(locked.team, definition),
        *find_agent_faults(locked.team, definition),
        *find_undo_faults(locked, definition),
        *find_resolver_faults(locked, definition),
        *find_preview_faults(locked, definition),
    ]
    if faults:
        raise ValidationFailed("invalid_tool", "; ".join(faults), problems=faults)
    digest = definition.digest(locked.id, locked.name)
    latest = latest_version(locked)
    if latest is not None and latest.digest == digest:
        return latest
    number = 1 if latest is None else latest.number + 1
    version = ToolVersion(tool=locked, number=number, digest=digest, **definition.values())
    check_fields(version)
    cleared = clear_change(actor, describe_version(locked, definition, digest, latest))
    version.save(force_insert=True)
    if AUDIENCE in definition.config:
        ensure_signing_key()  # its calls carry tokens, and workers make no keys
    facts = {
        **cleared,
        "version": str(version.id),
        "number": number,
        "digest": digest,
        "effect": definition.effect,
        "idempotency": definition.idempotency,
        "adapter": definition.adapter,
    }
    record_tool(locked, "tool.version_added", actor, facts)
    return version


@transaction.atomic
def quarantine_tool(*, actor: User, tool: Tool, reason: str = "") -> Tool:
    """Take a tool out of service until somebody accepts it again."""
    return _move(tool, actor, OPERATE, Tool.State.QUARANTINED, {"active"}, "tool.quarantined", reason)


@transaction.atomic
def accept_tool(*, actor: User, tool: Tool, reason: str = "") -> Tool:
    """Put a quarantined tool back into service; not one whose server describes it differently now."""
    from tools.services.functions import refuse_changed  # which takes versions from here

    refuse_unaccepted(tool)
    refuse_changed(tool)
    return _move(tool, actor, CHANGE, Tool.State.ACTIVE, {"quarantined"}, "tool.accepted", reason)


@transaction.atomic
def retire_tool(*, actor: User, tool: Tool, reason: str = "") -> Tool:
    """Take a tool out of service for good."""
    allowed_from = {"active", "quarantined"}
    return _move(tool, actor, CHANGE, Tool.State.RETIRED, allowed_from, "tool.retired", reason)


def latest_version(tool: Tool) -> ToolVersion | None:
    """Return the version that was added last, whatever of them the row was loaded with."""
    return ToolVersion.objects.filter(tool=tool).order_by("-number").first()


def lock_tool(tool: Tool) -> Tool:
    """Return the row as it is now, locked until the transaction ends."""
    return Tool.objects.select_for_update(of=("self",)).select_related("team").get(pk=tool.pk)


def set_aside(tool: Tool, facts: Mapping[str, object], actor: User | None) -> bool:
    """Quarantine a tool that is not what was accepted any more; return whether it was in service."""
    locked = lock_tool(tool)
    if locked.state != Tool.State.ACTIVE:
        return False
    locked.state = Tool.State.QUARANTINED
    locked.save(update_fields=["state"])
    told = {"before": "active", "because": "definition_changed", **facts}
    actor_id = actor.id if actor is not None else None
    record(locked.id, "tool", Draft("tool.quarantined", timezone.now(), told, None, actor_id))
    withdraw_credentials(locked)
    return True


def record_tool(tool: Tool, kind: str, actor: User, facts: Mapping[str, object], reason: str = "") -> None:
    """Write an entry of the tool's stream."""
    content = {"reason": reason} if reason else None
    record(tool.id, "tool", Draft(kind, timezone.now(), dict(facts), content, actor.id))


def _move(
    tool: Tool, actor: User, permission: str, to: str, allowed_from: Collection[str], entry: str, reason: str
) -> Tool:
    locked = lock_tool(tool)
    require(actor, permission, locked.team, locked)
    if to != Tool.State.QUARANTINED:  # which only stops
        require_fresh_factor(actor)
    if locked.state not in allowed_from:
        raise StateConflict("wrong_state", f"tool {locked.name} is {locked.state}, it cannot become {to}")
    before, locked.state = locked.state, to
    locked.save(update_fields=["state"])
    record_tool(locked, entry, actor, {"before": before}, reason)
    if to != Tool.State.ACTIVE:
        withdraw_credentials(locked)
    return locked


def withdraw_credentials(tool: Tool) -> None:
    """Have the credentials ended that calls of the tool hold, once it is out of service."""
    send_after_commit("runs.withdraw_credentials", "tool", str(tool.pk), queue="critical")
