"""Waivers: two people let an irreversible tool run without a human, within caps and until a day.

Each signs in their own name. The first signature is an entry of the identity's stream; the second, over the
very same terms, puts the grant into force. Any other change of that grant in between voids the first. What was
signed covers the version of the tool that both saw, while both have their accounts: see ``tools.weighing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from agentops.canonical import keyed_digest
from agentops.errors import PolicyDenied, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.models import Entry
from agentops.ledger.store import record
from identities.changes import open_proposal, seconded
from identities.models import AgentIdentity, User
from identities.policies import may_govern
from tools.models import Effect, Tool, ToolGrant, ToolVersion
from tools.services.changes import describe_grant
from tools.services.grants import (
    PERMISSION,
    active_grant,
    lock_for_grant,
    version_to_grant,
    write_grant,
)
from tools.services.terms import Terms, check_terms

LONGEST_WAIVER = timedelta(days=90)
SIGNATURE_LIFE = timedelta(days=7)
SIGNED = "waiver.signed"


@dataclass(frozen=True, slots=True)
class Waiver:
    """Why no human is asked, and until when."""

    reason: str
    expires_at: datetime


@transaction.atomic
def sign_waiver(
    *, actor: User, identity: AgentIdentity, tool: Tool, terms: Terms, waiver: Waiver
) -> ToolGrant | None:
    """Sign; return the grant if this is the second signature, None while another person's is missing.

    Raises ValidationFailed for terms that no waiver may have, PolicyDenied for the agent's owner.
    """
    locked = lock_for_grant(actor, identity, tool)
    version = version_to_grant(tool)
    check_terms(terms, version)
    _check_waiver(terms, waiver, version)
    if actor.pk == locked.owner_id:
        raise PolicyDenied("own_agent", "the owner of an agent does not waive its approvals")
    present = active_grant(locked, tool)
    if present is not None and _is_in_force(present, version, terms, waiver):
        return present
    digest = _digest(locked, version, terms, waiver)
    signers = _standing_signers(locked, tool, digest)
    other = next((signer for signer in signers if signer.pk != actor.pk), None)
    if other is not None:
        fields = {**_fields(version, waiver), "waived_by": other, "countersigned_by": actor}
        with seconded(actor):
            return write_grant(actor, locked, tool, terms, fields, signed=digest)
    if not signers:
        facts = {"tool": str(tool.id), "digest": digest, "expires_at": waiver.expires_at.isoformat()}
        draft = Draft(SIGNED, timezone.now(), facts, {"reason": waiver.reason}, actor.id)
        record(locked.id, "identity", draft)
        change = describe_grant(locked, tool, terms, _fields(version, waiver), present)
        open_proposal(actor, change, waiver.reason)
    return None


def _check_waiver(terms: Terms, waiver: Waiver, version: ToolVersion) -> None:
    now = timezone.now()
    faults = []
    if version.effect != Effect.IRREVERSIBLE:
        faults.append("a waiver is for an irreversible tool; grant this one without")
    if terms.decision != ToolGrant.Decision.ALLOW_WITH_CAPS:
        faults.append("decision: a waiver is an ALLOW_WITH_CAPS")
    if not any("count" in cap for cap in terms.caps) or not any("amount" in cap for cap in terms.caps):
        faults.append("caps: a waiver caps the count and the amount")
    if not waiver.reason.strip() or len(waiver.reason) > 300:
        faults.append("reason: say why no human is needed, in at most 300 characters")
    if not now < waiver.expires_at <= now + LONGEST_WAIVER:
        faults.append(f"expires_at: within the next {LONGEST_WAIVER.days} days")
    if faults:
        raise ValidationFailed("invalid_waiver", "; ".join(faults), problems=faults)


def _fields(version: ToolVersion, waiver: Waiver) -> dict[str, Any]:  # Any: a row's
    """Return what a grant's row says of a waiver, its signers apart."""
    return {
        "waived_version_digest": version.digest,
        "waiver_reason": waiver.reason,
        "waiver_expires_at": waiver.expires_at,
    }


def _is_in_force(grant: ToolGrant, version: ToolVersion, terms: Terms, waiver: Waiver) -> bool:
    wanted = {**terms.values(), **_fields(version, waiver)}
    return grant.waived_by_id is not None and all(getattr(grant, name) == v for name, v in wanted.items())


def _digest(identity: AgentIdentity, version: ToolVersion, terms: Terms, waiver: Waiver) -> str:
    signed = {
        "identity": str(identity.id),
        "tool_version": version.digest,
        "terms": terms.as_facts(),
        "reason": waiver.reason,
        "expires_at": waiver.expires_at.isoformat(),
    }
    return keyed_digest(signed)


def _standing_signers(identity: AgentIdentity, tool: Tool, digest: str) -> list[User]:
    """Return who signed these terms lately, and may still; a grant changed since then voids signatures."""
    about_tool = Entry.objects.filter(stream_id=identity.id, facts__tool=str(tool.id))
    changed = about_tool.filter(kind__in=("grant.set", "grant.revoked")).order_by("-seq").first()
    signed = about_tool.filter(
        kind=SIGNED,
        facts__digest=digest,
        at__gt=timezone.now() - SIGNATURE_LIFE,
        seq__gt=changed.seq if changed else 0,
    )
    people = User.objects.filter(pk__in=[entry.actor for entry in signed])
    others = people.exclude(pk=identity.owner_id)  # who signed may have become the owner since
    return [one for one in others if may_govern(one, PERMISSION, identity.team).allowed]
