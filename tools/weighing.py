"""Weighing a call by the terms of one source: a grant with its table and waiver, or a bound; caps in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

from tools.authority import Ask, Bound, Decision, GrantTerms, Reason, Source, TableAnswer, WaiverTerms
from tools.caps import CapClaim, Whose, claim_caps, exceeded_per_call, exceeded_windows, lift_limits


def apply_grant(
    ask: Ask, grant: GrantTerms, used: Mapping[str, tuple[int, Decimal]], whose: Whose
) -> Decision:
    """Return what a grant says: its terms, and the decision table that it names; ``used`` are the caps by window."""
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
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "user": "what may be done on behalf of this end user",
        "run": "what this run was started for",
        "parent": "what the run was started for that it acts for",
    }
)


def apply_bound(
    ask: Ask, bound: Bound, used: Mapping[str, tuple[int, Decimal]], whose: Whose, source: Source
) -> Decision:
    """Return what a source says that is no grant: it gives nothing, and takes away."""
    words = WORDS[source]
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
