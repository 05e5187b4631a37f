"""Which of a team's rules a call falls under. Pure: the first that fits, and why it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentops.amounts import plain_decimal
from approvals.models import ApprovalRule
from tools.assessment import Assessment
from tools.findings import DOUBTS


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as far as the rules care."""

    tool_id: UUID
    effect: str
    identity_id: UUID
    amount: Decimal | None
    currency: str
    is_doubtful: bool


def asked_by(assessment: Assessment) -> Asked:
    """Return what the rules look at in an assessed call."""
    call, spec = assessment.call, assessment.call.spec
    codes = {reason.code for reason in assessment.decision.reasons}
    return Asked(
        spec.tool_id, spec.effect, call.identity_id, assessment.amount, spec.currency, bool(codes & DOUBTS)
    )


def find_rule(rules: Iterable[ApprovalRule], asked: Asked) -> ApprovalRule | None:
    """Return the first of the rules, in their order, that fits; None where none does."""
    return next((rule for rule in sorted(rules, key=lambda rule: rule.place) if fits(rule, asked)), None)


def fits(rule: ApprovalRule, asked: Asked) -> bool:
    """Return whether a call is one of those that a rule is about."""
    return (
        rule.tool_id in (None, asked.tool_id)
        and rule.effect in ("", asked.effect)
        and rule.identity_id in (None, asked.identity_id)
        and (rule.min_amount is None or _is_enough(rule, asked))
        and (asked.is_doubtful or not rule.doubtful)
    )


def _is_enough(rule: ApprovalRule, asked: Asked) -> bool:
    """Whether the call moves as much; one of another currency is another rule's."""
    least = rule.min_amount
    return (
        least is not None
        and asked.amount is not None
        and asked.currency.casefold() == rule.currency.casefold()
        and asked.amount >= least
    )


def tell(rule: ApprovalRule) -> str:
    """Return which rule asks, and why it fits, in words."""
    return f"rule {rule.place}, {rule.name}: {tell_conditions(rule)}"


def tell_conditions(rule: ApprovalRule) -> str:
    """Return which calls a rule is about, in words."""
    parts = [
        f"the tool is {rule.tool}" if rule.tool_id else "",
        f"its effect is {rule.effect}" if rule.effect else "",
        f"the agent is {rule.identity}" if rule.identity_id else "",
        f"it moves {plain_decimal(rule.min_amount)} {rule.currency} or more" if rule.min_amount else "",
        "a value is from where nobody has vouched for it" if rule.doubtful else "",
    ]
    return ", ".join(filter(None, parts)) or "it fits every call"


def tell_stages(stages: Iterable[Mapping[str, Any]]) -> str:
    """Return whose yes it takes, in words: "1 of desk (after 300 s of heads too), then 2 of all who may approve"."""
    return ", then ".join(_tell_stage(stage) for stage in stages)


def _tell_stage(stage: Mapping[str, Any]) -> str:
    later = [f"after {step['after_s']} s of {step['group']} too" for step in stage.get("escalate", ())]
    told = f"{stage['needed']} of {stage.get('group') or 'all who may approve'}"
    return f"{told} ({', '.join(later)})" if later else told
