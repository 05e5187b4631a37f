"""Grants: what an identity may do with a tool. A change is a new version of the grant, the old one stays."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from guardian.shortcuts import assign_perm, remove_perm

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.changes import clear_change
from identities.factors import require_fresh_factor
from identities.models import AgentIdentity, User
from identities.policies import require
from tools.models import Tool, ToolGrant, ToolVersion
from tools.services.catalogue import latest_version
from tools.services.changes import GRANT, describe_grant
from tools.services.terms import Terms, check_terms, skips_people

PERMISSION = GRANT


@transaction.atomic
def set_grant(*, actor: User, identity: AgentIdentity, tool: Tool, terms: Terms) -> ToolGrant:
    """Replace what an identity may do with a tool; the same terms again change nothing.

    Raises PolicyDenied (irreversible_needs_human) for terms that would let an irreversible tool run without
    a person: that takes two signatures, see ``sign_waiver``; SecondPersonNeeded for what allows more than before.
    """
    locked = lock_for_grant(actor, identity, tool)
    version = version_to_grant(tool)
    check_terms(terms, version)
    if skips_people(terms, version):
        raise PolicyDenied(
            "irreversible_needs_human",
            f"{tool.name} is irreversible: a person decides about every call, or two people sign a waiver",
        )
    return write_grant(actor, locked, tool, terms, {})


@transaction.atomic
def revoke_grant(*, actor: User, grant: ToolGrant, reason: str = "") -> ToolGrant:
    """Take a grant away; the next call is denied. Raises StateConflict unless it is the active one."""
    identity = lock_for_grant(actor, grant.identity, grant.tool)
    present = ToolGrant.objects.select_for_update().get(pk=grant.pk)
    if present.state != ToolGrant.State.ACTIVE:
        raise StateConflict("grant_not_active", f"this grant is {present.state}")
    return _take_away(identity, present, actor, reason)


@transaction.atomic
def expire_grant(*, identity: AgentIdentity, tool: Tool, reason: str) -> ToolGrant | None:
    """Take away the grant that counts, because nobody wanted to keep it: nobody is the actor. None if there is none."""
    locked = _lock_identity(identity)
    present = active_grant(locked, tool)
    return None if present is None else _take_away(locked, present, None, reason)


def lock_for_grant(actor: User, identity: AgentIdentity, tool: Tool) -> AgentIdentity:
    """Return the identity, locked so that its grants change one at a time, if ``actor`` may change them."""
    locked = _lock_identity(identity)
    require(actor, PERMISSION, locked.team)
    require_fresh_factor(actor)
    if tool.team_id != locked.team_id:
        raise ValidationFailed("another_team", "a tool is granted to agents of its own team only")
    if locked.state == AgentIdentity.State.REVOKED:
        raise StateConflict("agent_revoked", f"agent {locked.slug} is revoked for good")
    return locked


def _lock_identity(identity: AgentIdentity) -> AgentIdentity:
    return (
        AgentIdentity.objects.select_for_update(of=("self",))
        .select_related("team", "service_account")
        .get(pk=identity.pk)
    )


def _take_away(identity: AgentIdentity, present: ToolGrant, actor: User | None, reason: str) -> ToolGrant:
    """Revoke a grant that is active and whose identity is locked."""
    present.state = ToolGrant.State.REVOKED
    present.save(update_fields=["state"])
    remove_perm("use_tool", identity.service_account, present.tool)
    facts = {"grant": str(present.id), "tool": str(present.tool_id), "version": present.version}
    content = {"reason": reason} if reason else None
    by = None if actor is None else actor.id
    record(identity.id, "identity", Draft("grant.revoked", timezone.now(), facts, content, by))
    return present


def version_to_grant(tool: Tool) -> ToolVersion:
    """Return the version that terms are checked against; raises StateConflict if there is none."""
    version = latest_version(tool)
    if version is None or tool.state == Tool.State.RETIRED:
        raise StateConflict("tool_not_grantable", f"tool {tool.name} is retired, or has no version yet")
    return version


def write_grant(
    actor: User,
    identity: AgentIdentity,
    tool: Tool,
    terms: Terms,
    waiver: dict[str, Any],
    *,
    signed: str = "",
) -> ToolGrant:
    """Write the next version of a grant whose identity is locked and whose terms are checked.

    ``waiver`` holds the row's waiver fields, empty without one; ``signed`` is the digest that both signers signed.
    """
    values = {**terms.values(), **waiver}
    present = active_grant(identity, tool)
    if present is not None:
        same = all(getattr(present, name) == value for name, value in values.items())
        if same and bool(present.waived_by_id) == bool(waiver):
            return present
    # Of a waiver the first signer is the maker, and who signs second the checker.
    maker = waiver.get("waived_by", actor)
    cleared = clear_change(maker, describe_grant(identity, tool, terms, waiver, present))
    if present is not None:
        present.state = ToolGrant.State.SUPERSEDED
        present.save(update_fields=["state"])
    last = ToolGrant.objects.filter(identity=identity, tool=tool).aggregate(last=Max("version"))["last"] or 0
    grant = ToolGrant.objects.create(
        identity=identity, tool=tool, version=last + 1, created_by=actor, **values
    )
    # The object permission is the necessary condition of every call; a denial must not leave one behind.
    change_permission = remove_perm if terms.decision == ToolGrant.Decision.DENY else assign_perm
    change_permission("use_tool", identity.service_account, tool)
    facts = {"grant": str(grant.id), "tool": str(tool.id), "version": grant.version, **terms.as_facts()}
    facts |= cleared
    if waiver:
        facts["waiver"] = _describe_waiver(waiver, signed)
    record(identity.id, "identity", Draft("grant.set", timezone.now(), facts, actor=actor.id))
    return grant


def active_grant(identity: AgentIdentity, tool: Tool) -> ToolGrant | None:
    """Return the grant that counts now."""
    return ToolGrant.objects.filter(identity=identity, tool=tool, state=ToolGrant.State.ACTIVE).first()


def _describe_waiver(waiver: dict[str, Any], signed: str) -> dict[str, Any]:  # Any: JSON
    """Return the facts by which `tools.standing` finds both signatures."""
    return {
        "signed_by": [str(waiver["waived_by"].id), str(waiver["countersigned_by"].id)],
        "expires_at": waiver["waiver_expires_at"].isoformat(),
        "tool_version": waiver["waived_version_digest"],
        "digest": signed,
    }
