"""The policy: may this identity make this call now? Pure, deny by default, and every answer lists its reasons.

Effective authority is user ∩ agent ∩ parent ∩ run. Each source can only take away; the first that says no
decides, and what was looked at before it is in the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from tools.caps import Cap, CapClaim, claim_caps, exceeded_per_call, exceeded_windows, lift_limits

Verdict = Literal["ALLOW", "REQUIRE_APPROVAL", "DENY"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was looked at: by whose authority, a code, and words for people."""

    source: Literal["user", "agent", "parent", "run", "tool"]
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class WaiverTerms:
    """Two people's word that nobody is asked about calls of one tool version, until an end.

    ``stands`` says that both signatures are on record and both signers' accounts are open.
    """

    signers: tuple[str, str]
    tool_version: str
    expires_at: datetime
    stands: bool


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """The active grant of an identity for a tool."""

    id: UUID
    version: int
    decision: str
    caps: tuple[Cap, ...]
    over_caps: str
    approval_ttl_s: int
    valid_until: datetime | None
    waiver: WaiverTerms | None


@dataclass(frozen=True, slots=True)
class Actors:
    """What the database says about those by whose authority a run acts."""

    identity_state: str
    identity_expires_at: datetime | None
    account_active: bool
    application_active: bool | None
    initiator_active: bool | None = field(default=None, kw_only=True)
    switch: str | None = field(default=None, kw_only=True)  # the scope of a kill switch that stops the run


@dataclass(frozen=True, slots=True)
class Standing(Actors):
    """What the database says at the moment of the call."""

    tool_state: str
    grant: GrantTerms | None
    guarded: bool
    used: dict[str, tuple[int, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """The call as far as policy cares; ``held`` is what an earlier attempt took of caps, by window.

    ``tool_version`` is the digest of the version that would be called.
    """

    run_id: UUID
    tool: str
    tool_version: str
    effect: str
    amount: Decimal | None
    now: datetime
    held: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer; ``claims`` have to be reserved before the effect."""

    verdict: Verdict
    code: str
    reasons: tuple[Reason, ...]
    claims: tuple[CapClaim, ...] = ()


_STOPS = {
    "everything": "somebody has thrown the kill switch for everything",
    "principal": "somebody has thrown the kill switch for this end user",
    "provider": "somebody has thrown the kill switch for the provider of the run's model",
}


def decide(ask: Ask, standing: Standing) -> Decision:
    """Return whether the call is allowed, needs a person, or is denied."""
    reasons: list[Reason] = []
    if (stopped := _find_stop(standing)) is not None:
        return Decision("DENY", stopped.code, (stopped,))
    for who in (_check_user, _check_agent):
        reason, allowed = who(standing, ask.now)
        reasons.append(reason)
        if not allowed:
            return Decision("DENY", reason.code, tuple(reasons))
    for check in (_check_tool, _check_grant):
        reason, allowed = check(ask, standing)
        reasons.append(reason)
        if not allowed:
            return Decision("DENY", reason.code, tuple(reasons))
    assert standing.grant is not None  # noqa: S101  _check_grant denied it otherwise
    return _apply_terms(ask, standing, standing.grant, reasons)


def find_lost_authority(actors: Actors, now: datetime) -> str:
    """Return why nothing at all may be done by their authority any more, as a code, or an empty string."""
    if (stopped := _find_stop(actors)) is not None:
        return stopped.code
    checks = (_check_user(actors, now), _check_agent(actors, now))
    return next((reason.code for reason, allowed in checks if not allowed), "")


def _find_stop(actors: Actors) -> Reason | None:
    if actors.switch is None:
        return None
    return Reason("run", f"{actors.switch}_stopped", _STOPS[actors.switch])


def _check_user(standing: Actors, now: datetime) -> tuple[Reason, bool]:
    if standing.application_active is False:
        return Reason(
            "user", "application_revoked", "the application that asserted the user is revoked"
        ), False
    if standing.initiator_active is False:
        return Reason("user", "initiator_inactive", "the account of who started the run is closed"), False
    return Reason("user", "principal_known", "the run acts for a known principal"), True


def _check_agent(standing: Actors, now: datetime) -> tuple[Reason, bool]:
    if standing.identity_state != "active":
        return Reason(
            "agent", f"identity_{standing.identity_state}", "the agent identity is not active"
        ), False
    if standing.identity_expires_at is not None and now >= standing.identity_expires_at:
        return Reason("agent", "identity_expired", "the agent identity has expired"), False
    if not standing.account_active:
        return Reason("agent", "account_inactive", "the agent's service account is switched off"), False
    return Reason("agent", "identity_active", "the agent identity is active"), True


def _check_tool(ask: Ask, standing: Standing) -> tuple[Reason, bool]:
    if standing.tool_state != "active":
        return Reason("tool", f"tool_{standing.tool_state}", f"{ask.tool} is {standing.tool_state}"), False
    return Reason("tool", "tool_active", f"{ask.tool} is in service"), True


def _check_grant(ask: Ask, standing: Standing) -> tuple[Reason, bool]:
    grant = standing.grant
    if grant is None:
        return Reason("agent", "no_grant", f"nobody granted {ask.tool} to this agent"), False
    if grant.decision == "DENY":
        return Reason(
            "agent", "denied_by_grant", f"the grant (version {grant.version}) denies {ask.tool}"
        ), False
    if not standing.guarded:
        return Reason(
            "agent", "no_object_permission", "the agent's account lacks the object permission"
        ), False
    if grant.valid_until is not None and ask.now >= grant.valid_until:
        return Reason("agent", "grant_expired", f"the grant (version {grant.version}) has run out"), False
    detail = f"granted as {grant.decision} (version {grant.version})"
    return Reason("agent", "granted", detail), True


def _apply_terms(ask: Ask, standing: Standing, grant: GrantTerms, reasons: list[Reason]) -> Decision:
    claims = claim_caps(grant.caps, ask)
    over = exceeded_per_call(grant.caps, ask.amount) or exceeded_windows(grant.caps, ask, standing.used)
    if over:
        reasons.append(Reason("agent", "cap_exceeded", over))
        if grant.over_caps != "REQUIRE_APPROVAL":
            return Decision("DENY", "cap_exceeded", tuple(reasons))
        # The person's word covers this call alone: what it takes is not left for those that nobody looks at.
        return Decision("REQUIRE_APPROVAL", "cap_exceeded", tuple(reasons), lift_limits(claims))
    if grant.decision == "REQUIRE_APPROVAL":
        reasons.append(Reason("agent", "approval_required", "the grant asks for a person's approval"))
        return Decision("REQUIRE_APPROVAL", "approval_required", tuple(reasons), claims)
    if ask.effect == "irreversible":
        return _decide_irreversible(ask, grant, reasons, claims)
    return Decision("ALLOW", "allowed", tuple(reasons), claims)


def _decide_irreversible(
    ask: Ask, grant: GrantTerms, reasons: list[Reason], claims: tuple[CapClaim, ...]
) -> Decision:
    """An irreversible call needs a human every time, unless a two-person waiver with caps stands."""
    lapse = _find_lapse(ask, grant, grant.waiver) if grant.waiver else ""
    if grant.waiver and not lapse:
        reasons.append(Reason("agent", "no_human_waiver", "no human: a waiver signed by two people stands"))
        return Decision("ALLOW", "waived", tuple(reasons), claims)
    if lapse:
        reasons.append(Reason("agent", "waiver_lapsed", f"the waiver does not count: {lapse}"))
    reasons.append(Reason("tool", "irreversible", "irreversible: a person decides about every call"))
    return Decision("REQUIRE_APPROVAL", "irreversible", tuple(reasons), claims)


def _find_lapse(ask: Ask, grant: GrantTerms, waiver: WaiverTerms) -> str:
    """Return why two people's word does not cover this call, or an empty string."""
    if not waiver.stands:
        return "a signature is not on record, or its signer's account is closed"
    if waiver.tool_version != ask.tool_version:
        return f"it was signed for another version of {ask.tool}"
    if ask.now >= waiver.expires_at:
        return "its time is up"
    if grant.decision != "ALLOW_WITH_CAPS" or all(cap.per == "call" for cap in grant.caps):
        return "it has no caps over time"
    return ""
