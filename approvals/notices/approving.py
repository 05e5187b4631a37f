"""What is told of requests for approval, and to whom: who can decide, and who was concerned."""

from __future__ import annotations

from approvals.notices.kinds import Facts, Kind, register_kind

REQUESTED = "approval.requested"
STAGE_PASSED = "approval.stage_passed"
ESCALATED = "approval.escalated"
EXPIRING = "approval.expiring"
PASSED_ON = "approval.passed_on"
LEFT_ALONE = "approval.left_alone"
DECIDED = "approval.decided"
EXPIRED = "approval.expired"
VOIDED = "approval.voided"

# Told to who can decide at that moment; the others tell how it ended.
FOR_WHO_DECIDES = (REQUESTED, STAGE_PASSED, ESCALATED, EXPIRING, PASSED_ON)
SETS_RULES = "approvals.add_approvalrule"  # who can say that others are asked too
PAGE = "admin:approvals_approvalrequest_change"


def _what(facts: Facts) -> str:
    amount = f" for {facts['amount']} {facts['currency']}".rstrip() if facts.get("amount") else ""
    effect = " (it cannot be undone)" if facts["effect"] == "irreversible" else ""
    return f"{facts['agent']} wants to use {facts['tool']}{amount}{effect}"


def _until(facts: Facts) -> str:
    return f"{facts['expires_at'][:16].replace('T', ' ')} UTC"


def _tell_requested(facts: Facts) -> str:
    return f"{_what(facts)}. It waits for a decision until {_until(facts)}."


def _tell_stage(facts: Facts) -> str:
    return (
        f"{_what(facts)}. Others have said yes; stage {facts['stage']} is asked now, until {_until(facts)}."
    )


def _tell_escalated(facts: Facts) -> str:
    asked = ", ".join(facts.get("asked", ())) or "all who may decide"
    return f"{_what(facts)}. Nobody has answered in time, so {asked} can decide too, until {_until(facts)}."


def _tell_expiring(facts: Facts) -> str:
    return (
        f"{_what(facts)}. It expires at {_until(facts)} and does not happen unless somebody decides before."
    )


def _tell_passed_on(facts: Facts) -> str:
    return f"Somebody who was asked rests from approving, so it is left to you: {_what(facts)}, until {_until(facts)}."


def _tell_left_alone(facts: Facts) -> str:
    return f"Who was asked rests from approving, and nobody else may decide it: {_what(facts)}, until {_until(facts)}."


def _tell_decided(facts: Facts) -> str:
    told = {"edited": "Somebody edited the call", "asked": "Somebody asked the agent about it"}
    return f"{told.get(facts['state'], str(facts['state']).capitalize())}: {_what(facts)}."


def _tell_expired(facts: Facts) -> str:
    return f"Nobody answered in time, so it does not happen: {_what(facts)}."


def _tell_voided(facts: Facts) -> str:
    return f"No longer asked: {_what(facts)}."


def register_kinds() -> None:
    """Let the story of a request be told."""
    for name, label, tell in (
        (REQUESTED, "an approval is asked for", _tell_requested),
        (STAGE_PASSED, "one stage has its people, the next is asked", _tell_stage),
        (ESCALATED, "nobody has answered in time, so others are asked too", _tell_escalated),
        (EXPIRING, "a request is about to expire", _tell_expiring),
        (PASSED_ON, "somebody who was asked rests, so it is left to others", _tell_passed_on),
        (DECIDED, "a request is decided", _tell_decided),
        (EXPIRED, "a request has expired", _tell_expired),
        (VOIDED, "a request is no longer asked", _tell_voided),
    ):
        register_kind(Kind(name, label, tell, PAGE, by_mail=True))
    label = "who was asked rests, and nobody else may decide"
    register_kind(Kind(LEFT_ALONE, label, _tell_left_alone, PAGE, by_mail=True, permission=SETS_RULES))
