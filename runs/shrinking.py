"""Smaller terms: whether they allow less, and what they would have denied of the calls that are on record.

The recorded calls are decided again, in their order, by the policy that decides real ones: once under the terms that
stand and once under the smaller ones. What people are asked about counts as allowed, so that later calls find caps
as used as they would have been.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from agentops.errors import ValidationFailed
from identities.changes.loosening import loosens
from runs.grant_use import DAYS
from tools.amounts import read_amount
from tools.authority import Ask, GrantTerms, Standing, WaiverTerms
from tools.caps import parse_caps
from tools.models import ToolGrant
from tools.policy import decide
from tools.services import Terms

MOST = 5_000  # calls that are decided again, the newest
LISTED = 20
STRICTNESS = {"ALLOW": 0, "REQUIRE_APPROVAL": 1, "DENY": 2}

# The arguments are content of the entry in which the model proposed them; erased ones are gone.
_CALLS = """
SELECT c.run_id, c.step, c.number, c.proposed_at, v.effect, v.digest, v.amount_argument, v.currency, e.content
FROM tools_toolversion v JOIN runs_tool_call c ON c.tool_version_id = v.id AND c.proposed_at > %s
    JOIN runs_run r ON r.id = c.run_id AND r.identity_id = %s
    LEFT JOIN ledger_entry e ON e.stream = c.run_id AND e.seq = c.decided_seq
WHERE v.tool_id = %s ORDER BY c.proposed_at DESC, c.run_id DESC, c.step DESC, c.number DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class PastCall:
    """A recorded call as far as policy cares; without an amount where it names none, or it was erased."""

    run_id: UUID
    step: int
    at: datetime
    effect: str
    tool_version: str
    amount: Decimal | None
    currency: str


@dataclass(slots=True)
class Changed:
    """Calls that would have come to another verdict, and the money in them by currency."""

    calls: int = 0
    money: dict[str, Decimal] = field(default_factory=dict)
    listed: list[PastCall] = field(default_factory=list)

    def add(self, call: PastCall) -> None:
        self.calls += 1
        if call.amount is not None:
            self.money[call.currency] = self.money.get(call.currency, Decimal(0)) + call.amount
        if len(self.listed) < LISTED:
            self.listed.append(call)


@dataclass(frozen=True, slots=True)
class Foresight:
    """What smaller terms would have changed about the calls of the last days."""

    days: int
    calls: int
    denied: Changed
    asked: Changed


def check_smaller(grant: ToolGrant, terms: Terms) -> None:
    """Raise ValidationFailed unless terms allow less than a grant does, and nothing that it does not."""
    faults = [name for name in ("decision", "caps", "valid_until") if _is_looser(grant, terms, name)]
    # What happens beyond the caps is looser only where there were caps before.
    if grant.caps and loosens("over_caps", grant.over_caps, terms.over_caps):
        faults.append("over_caps")
    if faults:
        raise ValidationFailed("not_smaller", f"these terms allow more than now: {', '.join(faults)}")
    if all(getattr(grant, name) == value for name, value in terms.values().items()):
        raise ValidationFailed("not_smaller", "these are the terms that stand: keep the grant")


def foresee_shrink(grant: ToolGrant, terms: Terms | None, days: int = DAYS) -> Foresight:
    """Return which recorded calls smaller terms, or none at all, would have denied or asked people about."""
    calls = _read_calls(grant, timezone.now() - timedelta(days=days))
    before = _decide_all(grant.tool.name, calls, _terms_of(grant))
    after = _decide_all(grant.tool.name, calls, None if terms is None else _smaller(grant, terms))
    found = Foresight(days, len(calls), Changed(), Changed())
    for call, old, new in zip(calls, before, after, strict=True):
        if STRICTNESS[new] > STRICTNESS[old]:
            (found.denied if new == "DENY" else found.asked).add(call)
    return found


def _is_looser(grant: ToolGrant, terms: Terms, name: str) -> bool:
    before, after = getattr(grant, name), getattr(terms, name)
    return before != after and loosens(name, before, after)


def _decide_all(tool: str, calls: Sequence[PastCall], terms: GrantTerms | None) -> list[str]:
    used: dict[str, tuple[int, Decimal]] = {}
    return [_decide(tool, call, terms, used) for call in calls]


def _decide(tool: str, call: PastCall, terms: GrantTerms | None, used: dict[str, tuple[int, Decimal]]) -> str:
    ask = Ask(call.run_id, tool, call.tool_version, call.effect, call.amount, call.at)
    standing = Standing("active", None, True, None, tool_state="active", grant=terms, guarded=True, used=used)
    decision = decide(ask, standing)
    if decision.verdict != "DENY":
        for claim in decision.claims:
            count, amount = used.get(claim.window, (0, Decimal(0)))
            used[claim.window] = (count + 1, amount + claim.amount)
    return decision.verdict


def _terms_of(grant: ToolGrant) -> GrantTerms | None:
    """Return the terms that stand, None where policy denies because it cannot read them."""
    # As of then: whether the grant has run out by now says nothing about its calls.
    waiver = None
    if grant.waived_by_id and grant.countersigned_by_id and grant.waiver_expires_at:
        signers = (str(grant.waived_by_id), str(grant.countersigned_by_id))
        waiver = WaiverTerms(signers, grant.waived_version_digest, grant.waiver_expires_at, stands=True)
    try:
        caps = parse_caps(grant.caps)
    except ValidationFailed:
        return None
    return GrantTerms(
        grant.id, grant.version, grant.decision, caps, grant.over_caps, grant.approval_ttl_s, None, waiver
    )


def _smaller(grant: ToolGrant, terms: Terms) -> GrantTerms:
    caps = parse_caps([dict(cap) for cap in terms.caps])
    return GrantTerms(
        grant.id, grant.version + 1, terms.decision, caps, terms.over_caps, terms.approval_ttl_s, None, None
    )


def _read_calls(grant: ToolGrant, since: datetime) -> list[PastCall]:
    """Return the calls since then, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, [since, grant.identity_id, grant.tool_id, MOST])
        return [_past_call(*row) for row in reversed(cursor.fetchall())]


def _past_call(
    run: UUID, step: int, number: int, at: datetime, effect: str, digest: str, path: str, currency: str,
    content: str | None,
) -> PastCall:  # fmt: skip
    amount = _read_amount(_arguments(content, number), path) if path else None
    return PastCall(run, step, at, effect, digest, amount, currency)


def _arguments(content: str | None, number: int) -> Any:  # Any: JSON
    return next((call.get("arguments") for call in _proposals(content) if call.get("call") == number), None)


def _proposals(content: str | None) -> Iterator[dict[str, Any]]:  # Any: JSON
    decoded = json.loads(content) if content else {}
    calls = decoded.get("calls") if isinstance(decoded, dict) else None
    yield from (call for call in calls or () if isinstance(call, dict))


def _read_amount(arguments: Any, path: str) -> Decimal | None:
    try:
        return read_amount(arguments, path) if isinstance(arguments, dict) else None
    except ValidationFailed:
        return None
