"""The policy: may this identity make this call now? Pure, deny by default, and every answer lists its reasons.

Effective authority is user ∩ agent ∩ parent ∩ run. Each source can only take away; the first that says no
decides, and what was looked at before it is in the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from tools.authority import NO_CALL, Actors, Ask, Decision, GrantTerms, Parent, Reason, Standing
from tools.caps import OWN, Whose, merge_claims
from tools.weighing import WORDS, apply_bound, apply_grant

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
    if needs_confirmation(standing):
        reasons.append(
            Reason("agent", "user_confirms", "the end user confirms exactly this before it goes out")
        )
    return _intersect(list(_weigh(ask, standing)), reasons)


def find_veto_window(effect: str, standing: Standing) -> int:
    """Return for how many seconds a call is held before it goes out: as long as the longest of all grants says."""
    if effect == "read":
        return 0
    grants = standing.grant, *(parent.grant for parent in standing.parents)
    return max((grant.veto_s for grant in grants if grant is not None), default=0)


def needs_confirmation(standing: Standing) -> bool:
    """Return whether the end user has to confirm a call: where any of all grants says so."""
    grants = standing.grant, *(parent.grant for parent in standing.parents)
    return any(grant.confirmation for grant in grants if grant is not None)


def find_bar(ask: Ask, standing: Standing) -> Reason | None:
    """Return what denies every call of the tool, whatever it says and moves; None where some call may go out."""
    for reason, allowed in _look(ask, standing):
        if not allowed:
            return reason
    bounds = [*standing.for_user, *([] if ask.limits is None else [ask.limits.get(ask.tool, NO_CALL)])]
    if any(bound.decision == "DENY" for bound in bounds):
        return Reason("user", "denied_by_user", f"{ask.tool} is not within {WORDS['user']}")
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
    yield apply_grant(ask, standing.grant, used, OWN)
    for bound in standing.for_user:
        yield apply_bound(ask, bound, used, Whose(user=ask.principal_id), "user")
    if ask.limits is not None:
        yield apply_bound(ask, ask.limits.get(ask.tool, NO_CALL), used, OWN, "run")
    for parent in standing.parents:
        yield from _weigh_parent(replace(ask, run_id=parent.run_id), parent, used)


def _weigh_parent(ask: Ask, parent: Parent, used: Mapping[str, tuple[int, Decimal]]) -> Iterator[Decision]:
    whose = Whose(agent=parent.identity_id)
    assert parent.grant is not None  # noqa: S101  _check_grant denied it otherwise
    answer = apply_grant(ask, parent.grant, used, whose)
    reasons = tuple(_of_parent(parent, reason) for reason in answer.reasons)
    yield replace(answer, code=reasons[-1].code if reasons else answer.code, reasons=reasons)
    if parent.limits is not None:
        yield apply_bound(ask, parent.limits.get(ask.tool, NO_CALL), used, whose, "parent")


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
