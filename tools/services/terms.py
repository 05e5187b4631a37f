"""The terms of a grant as a person proposes them, and the rules that they have to keep."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.utils import timezone

from agentops.errors import ValidationFailed
from tools.caps import PERIODS
from tools.models import Effect, ToolGrant, ToolVersion
from tools.services.table_faults import find_policy_faults

Decision = ToolGrant.Decision
SMALLEST_AMOUNT = Decimal("0.0001")
LONGEST_TTL_S = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Terms:
    """What an identity is to be allowed; caps are ``{"per": …, "count": n, "amount": "0.00"}``."""

    decision: str
    caps: tuple[Mapping[str, Any], ...] = ()  # Any: typed in by people, checked here
    over_caps: str = "DENY"
    approval_ttl_s: int = 600
    valid_until: datetime | None = None
    policy_table: UUID | None = None  # the decision table that is asked about every call
    veto_s: int = 0  # for so long a call with an effect is held, for people to veto it
    confirmation: bool = False  # the end user confirms each call

    def values(self) -> dict[str, Any]:
        """Return the fields as a row holds them."""
        return {
            "decision": self.decision,
            "caps": [dict(cap) for cap in self.caps],
            "over_caps": self.over_caps,
            "approval_ttl_s": self.approval_ttl_s,
            "valid_until": self.valid_until,
            "policy_table_id": self.policy_table,
            "veto_s": self.veto_s,
            "confirmation": self.confirmation,
        }

    def bound_values(self) -> dict[str, Any]:
        """Return the fields of terms that only take away, as JSON holds them."""
        return {
            "decision": self.decision,
            "caps": [dict(cap) for cap in self.caps],
            "over_caps": self.over_caps,
        }

    def as_facts(self) -> dict[str, Any]:
        """Return the fields as the ledger and digests take them."""
        end = None if self.valid_until is None else self.valid_until.isoformat()
        facts = {**self.values(), "valid_until": end}
        table, veto_s = facts.pop("policy_table_id"), facts.pop("veto_s")
        said = {"policy_table": None if table is None else str(table), "veto_s": veto_s}
        said["confirmation"] = facts.pop("confirmation")
        return {**facts, **{name: value for name, value in said.items() if value}}


def check_terms(terms: Terms, version: ToolVersion) -> None:
    """Raise ValidationFailed with every fault of the terms for this tool."""
    faults = [*_find_faults(terms), *_find_cap_faults(terms, version)]
    if terms.policy_table is not None:
        faults += find_policy_faults(version.tool.team, terms.policy_table)
    if faults:
        raise ValidationFailed("invalid_terms", "; ".join(faults), problems=faults)


def find_bound_faults(terms: Terms, version: ToolVersion, periods: Collection[str]) -> Iterator[str]:
    """Yield every fault of terms that only take away, with caps over these periods."""
    yield from _find_faults(terms)
    yield from _find_cap_faults(terms, version)
    for place, cap in enumerate(terms.caps):
        if cap.get("per") in PERIODS and cap["per"] not in periods:
            yield f"caps/{place}: per is one of {', '.join(periods)} here"


def skips_people(terms: Terms, version: ToolVersion) -> bool:
    """Return whether calls would do something irreversible without a person's word."""
    open_decision = terms.decision in (Decision.ALLOW, Decision.ALLOW_WITH_CAPS)
    return open_decision and version.effect == Effect.IRREVERSIBLE


def _find_faults(terms: Terms) -> Iterator[str]:
    if terms.decision not in Decision.values:
        yield f"decision: choose one of {', '.join(Decision.values)}"
    if terms.over_caps not in ("DENY", "REQUIRE_APPROVAL"):
        yield "over_caps: choose DENY or REQUIRE_APPROVAL"
    if type(terms.approval_ttl_s) is not int or not 0 < terms.approval_ttl_s <= LONGEST_TTL_S:
        yield f"approval_ttl_s: a whole number of seconds from 1 to {LONGEST_TTL_S}"
    if type(terms.veto_s) is not int or not 0 <= terms.veto_s <= LONGEST_TTL_S:
        yield f"veto_s: a whole number of seconds up to {LONGEST_TTL_S}; 0 holds nothing"
    if terms.valid_until is not None and terms.valid_until <= timezone.now():
        yield "valid_until: this moment has passed"
    if terms.decision == Decision.ALLOW_WITH_CAPS and not terms.caps:
        yield "caps: ALLOW_WITH_CAPS needs at least one"
    if terms.decision in (Decision.ALLOW, Decision.DENY) and terms.caps:
        yield f"caps: {terms.decision} takes none"


def _find_cap_faults(terms: Terms, version: ToolVersion) -> Iterator[str]:
    for place, cap in enumerate(terms.caps):
        where = f"caps/{place}"
        if set(cap) - {"per", "count", "amount"} or cap.get("per") not in PERIODS:
            yield f"{where}: has per (one of {', '.join(PERIODS)}) and count or amount"
            continue
        count, amount = cap.get("count"), cap.get("amount")
        if count is None and amount is None:
            yield f"{where}: set count or amount"
        if count is not None and (type(count) is not int or count < 1 or cap["per"] == "call"):
            yield f"{where}/count: a whole number from 1, not per call"
        if amount is not None and not _is_amount(amount):
            yield f'{where}/amount: a decimal in quotes, more than 0, such as "50.00"'
        if amount is not None and not version.amount_argument:
            yield f"{where}/amount: the tool names no amount_argument to take amounts from"


def _is_amount(text: object) -> bool:
    try:
        amount = Decimal(text) if isinstance(text, str) else Decimal(0)
        return bool(amount.is_finite() and amount > 0 and amount == amount.quantize(SMALLEST_AMOUNT))
    except InvalidOperation:
        return False
