"""The policy: may this identity make this call now? Pure, deny by default, and every answer lists its reasons.

Effective authority is user ∩ agent ∩ parent ∩ run. Each source can only take away; the first that says no
decides, and what was looked at before it is in the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, Protocol
from uuid import UUID

from tools.caps import (
    OWN,
    Cap,
    CapClaim,
    Whose,
    claim_caps,
    exceeded_per_call,
    exceeded_windows,
    lift_limits,
    merge_claims,
)

Verdict = Literal["ALLOW", "REQUIRE_APPROVAL", "DENY"]
Source = Literal["user", "agent", "parent", "run", "tool"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was looked at: by whose authority, a code, and words for people."""

    source: Source
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
    policy_table: UUID | None = None  # a decision table that is asked about every call
    veto_s: int = 0  # for so long a call with an effect is held, for people to veto it


@dataclass(frozen=True, slots=True)
class Bound:
    """What may be done with one tool, by a source that is no grant: it gives nothing, and takes away."""

    decision: str
    caps: tuple[Cap, ...] = ()
    over_caps: str = "DENY"


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What a grant's decision table says of a call: in words, with what names the rules that said it.

    ``ceiling`` is the most that ALLOW_WITH_CAPS lets a call move; None is a ceiling that nothing is below.
    """

    decision: str
    detail: str
    named: tuple[str, ...]
    ceiling: Decimal | None = None


# By the tool's name. A run that has limits may use no tool that they do not name.
Limits = Mapping[str, Bound]
NO_CALL = Bound("DENY")
UNLIMITED: Mapping[str, Bound] | None = None


@dataclass(frozen=True, slots=True)
class Parent:
    """A run on whose behalf another acts, and how its agent stands: what it may not do, its child may not."""

    run_id: UUID
    identity_id: UUID
    name: str
    identity_state: str
    identity_expires_at: datetime | None
    account_active: bool
    guarded: bool = False
    grant: GrantTerms | None = None
    limits: Limits | None = UNLIMITED


@dataclass(frozen=True, slots=True)
class Actors:
    """What the database says about those by whose authority a run acts."""

    identity_state: str
    identity_expires_at: datetime | None
    account_active: bool
    application_active: bool | None
    initiator_active: bool | None = field(default=None, kw_only=True)
    switch: str | None = field(default=None, kw_only=True)  # the scope of a kill switch that stops the run
    parents: tuple[Parent, ...] = field(default=(), kw_only=True)  # the nearest first


@dataclass(frozen=True, slots=True)
class Standing(Actors):
    """What the database says at the moment of the call."""

    tool_state: str
    grant: GrantTerms | None
    guarded: bool
    used: Mapping[str, tuple[int, Decimal]] = field(default_factory=dict)
    for_user: tuple[Bound, ...] = field(default=(), kw_only=True)  # on behalf of this end user, or of any


@dataclass(frozen=True, slots=True)
class Ask:
    """The call as far as policy cares; ``held`` is what an earlier attempt took of caps, by window.

    ``tool_version`` is the digest of the version that would be called, ``limits`` are what the run was started with.
    """

    run_id: UUID
    tool: str
    tool_version: str
    effect: str
    amount: Decimal | None
    now: datetime
    held: Mapping[str, Decimal] = field(default_factory=dict)
    limits: Limits | None = UNLIMITED
    principal_id: UUID | None = None
    by_table: Mapping[UUID, TableAnswer] = field(default_factory=dict)  # by the grant that asks


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
    "credential": "the key that the run was started with was stopped",
    "provider": "somebody has thrown the kill switch for the provider of the run's model",
}


def decide(ask: Ask, standing: Standing) -> Decision:
    """Return whether the call is allowed, needs a person, or is denied."""
    reasons: list[Reason] = []
    for reason, allowed in _look(ask, standing):
        reasons.append(reason)
        if not allowed:
            return Decision("DENY", reason.code, tuple(reasons))
    if window := find_veto_window(ask.effect, standing):
        reasons.append(
            Reason("agent", "held_for_veto", f"held for {window} s before it goes out, for people to veto it")
        )
    return _intersect(list(_weigh(ask, standing)), reasons)


def find_veto_window(effect: str, standing: Standing) -> int:
    """Return for how many seconds a call is held before it goes out: as long as the longest of all grants says."""
    if effect == "read":
        return 0
    grants = standing.grant, *(parent.grant for parent in standing.parents)
    return max((grant.veto_s for grant in grants if grant is not None), default=0)


def find_bar(ask: Ask, standing: Standing) -> Reason | None:
    """Return what denies every call of the tool, whatever it says and moves; None where some call may go out."""
    for reason, allowed in _look(ask, standing):
        if not allowed:
            return reason
    bounds = [*standing.for_user, *([] if ask.limits is None else [ask.limits.get(ask.tool, NO_CALL)])]
    if any(bound.decision == "DENY" for bound in bounds):
        return Reason("user", "denied_by_user", f"{ask.tool} is not within {_WORDS['user']}")
    return None


def _look(ask: Ask, standing: Standing) -> Iterator[tuple[Reason, bool]]:
    """Look at all by whose authority the call would be made, as long as each of them lets it."""
    if (stopped := _find_stop(standing)) is not None:
        yield stopped, False
    yield _check_user(standing)
    yield _check_agent(standing, ask.now)
    yield _check_tool(ask, standing)
    yield _check_grant(ask, standing)
    for parent in standing.parents:
        yield _check_parent(parent, ask.now)
        reason, allowed = _check_grant(ask, parent)
        yield _of_parent(parent, reason), allowed


def _intersect(answers: list[Decision], reasons: list[Reason]) -> Decision:
    """Return what all of them let be done: the strictest word of any, and what each of them wants reserved."""
    for answer in answers:
        reasons.extend(answer.reasons)
        if answer.verdict == "DENY":
            return Decision("DENY", answer.code, tuple(reasons))
    strictest = next((answer for answer in answers if answer.verdict == "REQUIRE_APPROVAL"), answers[0])
    claims = merge_claims(claim for answer in answers for claim in answer.claims)
    return Decision(strictest.verdict, strictest.code, tuple(reasons), tuple(claims))


def _weigh(ask: Ask, standing: Standing) -> Iterator[Decision]:
    """Apply the terms of each source by itself: the agent's grant, those of its parents, the end user's, the run's."""
    used = standing.used
    assert standing.grant is not None  # noqa: S101  _check_grant denied it otherwise
    yield _apply_grant(ask, standing.grant, used, OWN)
    for bound in standing.for_user:
        yield _apply_bound(ask, bound, used, Whose(user=ask.principal_id), "user")
    if ask.limits is not None:
        yield _apply_bound(ask, ask.limits.get(ask.tool, NO_CALL), used, OWN, "run")
    for parent in standing.parents:
        yield from _weigh_parent(replace(ask, run_id=parent.run_id), parent, used)


def _weigh_parent(ask: Ask, parent: Parent, used: Mapping[str, tuple[int, Decimal]]) -> Iterator[Decision]:
    whose = Whose(agent=parent.identity_id)
    assert parent.grant is not None  # noqa: S101  _check_grant denied it otherwise
    answer = _apply_grant(ask, parent.grant, used, whose)
    reasons = tuple(_of_parent(parent, reason) for reason in answer.reasons)
    yield replace(answer, code=reasons[-1].code if reasons else answer.code, reasons=reasons)
    if parent.limits is not None:
        yield _apply_bound(ask, parent.limits.get(ask.tool, NO_CALL), used, whose, "parent")


def find_lost_authority(actors: Actors, now: datetime) -> str:
    """Return why nothing at all may be done by their authority any more, as a code, or an empty string."""
    if (stopped := _find_stop(actors)) is not None:
        return stopped.code
    checks = _check_user(actors), _check_agent(actors, now)
    lost = next((reason.code for reason, allowed in checks if not allowed), "")
    parents_stand = all(_check_parent(parent, now)[1] for parent in actors.parents)
    return lost or ("" if parents_stand else "parent_stopped")


def _find_stop(actors: Actors) -> Reason | None:
    if actors.switch is None:
        return None
    return Reason("run", f"{actors.switch}_stopped", _STOPS[actors.switch])


def _check_user(standing: Actors) -> tuple[Reason, bool]:
    if standing.application_active is False:
        return Reason(
            "user", "application_revoked", "the application that asserted the user is revoked"
        ), False
    if standing.initiator_active is False:
        return Reason("user", "initiator_inactive", "the account of who started the run is closed"), False
    return Reason("user", "principal_known", "the run acts for a known principal"), True


class _Agent(Protocol):
    """How an agent stands, and what it was granted."""

    @property
    def identity_state(self) -> str: ...
    @property
    def identity_expires_at(self) -> datetime | None: ...
    @property
    def account_active(self) -> bool: ...


class _Grantee(Protocol):
    @property
    def grant(self) -> GrantTerms | None: ...
    @property
    def guarded(self) -> bool: ...


def _of_parent(parent: Parent, reason: Reason) -> Reason:
    """Return what was said of an agent as said of the one on whose behalf it acts."""
    return Reason("parent", f"parent_{reason.code}", f"{parent.name}, which it acts for: {reason.detail}")


def _check_parent(parent: Parent, now: datetime) -> tuple[Reason, bool]:
    reason, allowed = _check_agent(parent, now)
    return _of_parent(parent, reason), allowed


def _check_agent(standing: _Agent, now: datetime) -> tuple[Reason, bool]:
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


def _check_grant(ask: Ask, standing: _Grantee) -> tuple[Reason, bool]:
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


def _apply_grant(
    ask: Ask, grant: GrantTerms, used: Mapping[str, tuple[int, Decimal]], whose: Whose
) -> Decision:
    answer = _apply_terms(ask, grant, used, whose)
    return answer if grant.policy_table is None else _heed_table(ask, answer, ask.by_table.get(grant.id))


def _heed_table(ask: Ask, answer: Decision, told: TableAnswer | None) -> Decision:
    """Return the stricter of what the terms and the decision table of a grant say; no answer is a denial."""
    if told is None or told.decision not in _TABLE_CODES:
        detail = told.detail if told else "the decision table of the grant was not asked"
        return _deny_more(answer, Reason("agent", "table_undecided", detail))
    reason = Reason("agent", _TABLE_CODES[told.decision], told.detail)
    if told.decision == "DENY":
        return _deny_more(answer, reason)
    if told.decision == "ALLOW_WITH_CAPS" and (
        told.ceiling is None or ask.amount is None or ask.amount > told.ceiling
    ):
        return _deny_more(answer, replace(reason, code="table_cap_exceeded"))
    if told.decision == "REQUIRE_APPROVAL" and answer.verdict == "ALLOW":
        return Decision("REQUIRE_APPROVAL", reason.code, (*answer.reasons, reason), answer.claims)
    return replace(answer, reasons=(reason, *answer.reasons))


def _deny_more(answer: Decision, reason: Reason) -> Decision:
    return Decision("DENY", reason.code, (*answer.reasons, reason))


_TABLE_CODES: Mapping[str, str] = MappingProxyType(
    {
        "ALLOW": "table_allows",
        "ALLOW_WITH_CAPS": "table_allows_with_caps",
        "REQUIRE_APPROVAL": "table_asks",
        "DENY": "table_denies",
    }
)


def _apply_terms(
    ask: Ask, grant: GrantTerms, used: Mapping[str, tuple[int, Decimal]], whose: Whose
) -> Decision:
    bound = Bound(grant.decision, grant.caps, grant.over_caps)
    answer = _apply_caps(ask, bound, used, whose, Reason("agent", "cap_exceeded", ""))
    if answer.code == "cap_exceeded":
        return answer
    if grant.decision == "REQUIRE_APPROVAL":
        asked = Reason("agent", "approval_required", "the grant asks for a person's approval")
        return Decision("REQUIRE_APPROVAL", asked.code, (asked,), answer.claims)
    if ask.effect == "irreversible":
        return _decide_irreversible(ask, grant, answer.claims)
    return answer


# What people read of a source that is no grant.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "user": "what may be done on behalf of this end user",
        "run": "what this run was started for",
        "parent": "what the run was started for that it acts for",
    }
)


def _apply_bound(
    ask: Ask, bound: Bound, used: Mapping[str, tuple[int, Decimal]], whose: Whose, source: Source
) -> Decision:
    words = _WORDS[source]
    if bound.decision == "DENY":
        denied = Reason(source, f"denied_by_{source}", f"{ask.tool} is not within {words}")
        return Decision("DENY", denied.code, (denied,))
    answer = _apply_caps(ask, bound, used, whose, Reason(source, f"{source}_cap_exceeded", words))
    if answer.verdict == "ALLOW" and bound.decision == "REQUIRE_APPROVAL":
        asked = Reason(source, f"{source}_asks", f"a person's approval is part of {words}")
        return Decision("REQUIRE_APPROVAL", asked.code, (asked,), answer.claims)
    return answer


def _apply_caps(
    ask: Ask, bound: Bound, used: Mapping[str, tuple[int, Decimal]], whose: Whose, beyond: Reason
) -> Decision:
    """Return what a source's caps say; ``beyond`` is the reason where the call is beyond them."""
    claims = claim_caps(bound.caps, ask, whose)
    over = exceeded_per_call(bound.caps, ask.amount) or exceeded_windows(bound.caps, ask, used, whose)
    if not over:
        within = () if beyond.source == "agent" else (_within(beyond),)
        return Decision("ALLOW", "allowed", within, claims)
    reason = replace(beyond, detail=f"{beyond.detail}: {over}" if beyond.detail else over)
    if bound.over_caps != "REQUIRE_APPROVAL":
        return Decision("DENY", reason.code, (reason,))
    # The person's word covers this call alone: what it takes is not left for those that nobody looks at.
    return Decision("REQUIRE_APPROVAL", reason.code, (reason,), lift_limits(claims))


def _within(beyond: Reason) -> Reason:
    return Reason(beyond.source, f"within_{beyond.source}", f"it is within {beyond.detail}")


def _decide_irreversible(ask: Ask, grant: GrantTerms, claims: tuple[CapClaim, ...]) -> Decision:
    """An irreversible call needs a human every time, unless a two-person waiver with caps stands."""
    reasons: list[Reason] = []
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
