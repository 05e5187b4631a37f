"""Caps: ceilings on counts and amounts, per call, per run and per window, reserved before the effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, TypeVar
from uuid import UUID

from agentops.amounts import plain_decimal
from agentops.errors import ValidationFailed

PERIODS = ("call", "run", "hour", "day", "month")
_STARTS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}


class Asked(Protocol):
    """The part of a call that caps are about."""

    @property
    def run_id(self) -> UUID: ...
    @property
    def amount(self) -> Decimal | None: ...
    @property
    def now(self) -> datetime: ...
    @property
    def held(self) -> Mapping[str, Decimal]: ...


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` calls, and ``amount`` in all, per period. None is no ceiling."""

    per: str
    count: int | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class CapClaim:
    """What one call takes of one cap's window; without limits it takes it from a full one too."""

    window: str
    amount: Decimal
    count_limit: int | None
    amount_limit: Decimal | None


def parse_caps(rows: Iterable[dict[str, Any]]) -> tuple[Cap, ...]:
    """Return caps from a grant's JSON; raises ValidationFailed for anything it does not understand."""
    if not isinstance(rows, list):
        raise ValidationFailed("bad_cap", "caps are a list")
    return tuple(_parse_cap(row) for row in rows)


def _parse_cap(row: dict[str, Any]) -> Cap:
    if not isinstance(row, dict) or set(row) - {"per", "count", "amount"} or row.get("per") not in PERIODS:
        raise ValidationFailed("bad_cap", f"a cap has per ({', '.join(PERIODS)}), and count or amount: {row}")
    count, amount = row.get("count"), _read_ceiling(row)
    if (count is None and amount is None) or not (count is None or type(count) is int):
        raise ValidationFailed("bad_cap", f"a cap has a whole count, or an amount: {row}")
    return Cap(row["per"], count, amount)


def _read_ceiling(row: dict[str, Any]) -> Decimal | None:
    """Return a cap's amount; one that is not finite would be no ceiling."""
    if row.get("amount") is None:
        return None
    try:
        amount = Decimal(str(row["amount"]))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValidationFailed("bad_cap", f"the amount of a cap is a number: {row}")
    return amount


@dataclass(frozen=True, slots=True)
class Whose:
    """In whose windows a call counts: the acting agent's unless another is named, and of one end user or of all."""

    agent: UUID | None = None
    user: UUID | None = None


OWN = Whose()


def window_of(per: str, run_id: UUID, now: datetime, whose: Whose = OWN) -> str:
    """Return the name of the window that a call falls into (UTC): ``[agent/]period[@end user]``."""
    period = f"run:{run_id}" if per == "run" else f"{per}:{now.strftime(_STARTS[per])}"
    agent = f"{whose.agent}/" if whose.agent else ""
    return f"{agent}{period}@{whose.user}" if whose.user else agent + period


def windows_of(caps: Sequence[Cap], run_id: UUID, now: datetime, whose: Whose = OWN) -> list[str]:
    """Return the windows whose usage a decision has to know."""
    return [window_of(cap.per, run_id, now, whose) for cap in caps if cap.per != "call"]


def exceeded_per_call(caps: Sequence[Cap], amount: Decimal | None) -> str:
    """Return words for the first cap per call that this amount exceeds, or an empty string."""
    for cap in caps:
        if cap.amount is not None and amount is None:
            return "an amount is capped, and the call names none"
        if cap.per == "call" and cap.amount is not None and amount is not None and amount > cap.amount:
            return f"{plain_decimal(amount)} is more than {plain_decimal(cap.amount)} per call"
    return ""


def exceeded_windows(
    caps: Sequence[Cap], ask: Asked, used: Mapping[str, tuple[int, Decimal]], whose: Whose = OWN
) -> str:
    """Return words for the first window that has no room for this call, or an empty string.

    A window that the call holds its share of already has room for it.
    """
    for cap in caps:
        if cap.per == "call":
            continue
        window = window_of(cap.per, ask.run_id, ask.now, whose)
        if window in ask.held:
            continue
        count, amount = used.get(window, (0, Decimal(0)))
        if cap.count is not None and count + 1 > cap.count:
            return f"{count} of {cap.count} calls per {cap.per} are used"
        if cap.amount is not None and amount + (ask.amount or 0) > cap.amount:
            used_up, ceiling, more = map(plain_decimal, (amount, cap.amount, ask.amount or Decimal(0)))
            return f"{used_up} of {ceiling} per {cap.per} is used, {more} more would exceed it"
    return ""


def claim_caps(caps: Sequence[Cap], ask: Asked, whose: Whose = OWN) -> tuple[CapClaim, ...]:
    """Return what the call has to reserve: one claim per window, none for what it holds already."""
    amount = ask.amount or Decimal(0)
    claims = [
        CapClaim(window_of(cap.per, ask.run_id, ask.now, whose), amount, cap.count, cap.amount)
        for cap in caps
        if cap.per != "call"
    ]
    return tuple(claim for claim in merge_claims(claims) if claim.window not in ask.held)


def lift_limits(claims: Sequence[CapClaim]) -> tuple[CapClaim, ...]:
    """Return the claims of a call that only a person can let through: they count, and refuse nothing."""
    return tuple(replace(claim, count_limit=None, amount_limit=None) for claim in claims)


class Cursor(Protocol):
    def execute(self, query: Any, params: Any = None) -> Any: ...  # Any: psycopg's types differ from Django's
    def fetchall(self) -> Any: ...


_OPEN = """
INSERT INTO tools_capusage (identity_id, tool_id, "window", used_count, used_amount)
SELECT c.identity_id, %(tool)s, c."window", 0, 0
FROM unnest(%(identities)s::uuid[], %(windows)s::text[]) AS c(identity_id, "window") ORDER BY 1, 3
ON CONFLICT DO NOTHING
"""
# Rows are locked in the order of agents and windows, so that two calls never wait for each other in a circle.
_RESERVE = """
WITH claim AS (
    SELECT * FROM unnest(%(identities)s::uuid[], %(windows)s::text[], %(amounts)s::numeric[], %(counts)s::bigint[],
        %(limits)s::numeric[]) AS c(identity_id, "window", amount, count_limit, amount_limit)
), locked AS (
    SELECT u.id FROM tools_capusage u JOIN claim USING (identity_id, "window")
    WHERE u.tool_id = %(tool)s ORDER BY u.identity_id, u."window" FOR UPDATE OF u
)
UPDATE tools_capusage u SET used_count = u.used_count + 1, used_amount = u.used_amount + c.amount
FROM claim c, locked
WHERE u.id = locked.id AND u.identity_id = c.identity_id AND u."window" = c."window"
    AND (c.count_limit IS NULL OR u.used_count + 1 <= c.count_limit)
    AND (c.amount_limit IS NULL OR u.used_amount + c.amount <= c.amount_limit)
RETURNING 1
"""
_RELEASE = """
WITH claim AS (
    SELECT * FROM unnest(%(identities)s::uuid[], %(windows)s::text[], %(amounts)s::numeric[])
        AS c(identity_id, "window", amount)
), locked AS (
    SELECT u.id FROM tools_capusage u JOIN claim USING (identity_id, "window")
    WHERE u.tool_id = %(tool)s ORDER BY u.identity_id, u."window" FOR UPDATE OF u
)
UPDATE tools_capusage u SET used_count = u.used_count - 1, used_amount = u.used_amount - c.amount
FROM claim c, locked
WHERE u.id = locked.id AND u.identity_id = c.identity_id AND u."window" = c."window" AND u.used_count > 0
"""


def reserve_caps(cursor: Cursor, identity_id: UUID, tool_id: UUID, claims: Sequence[CapClaim]) -> bool:
    """Reserve all claims, which name different windows, or none: on False the caller rolls back."""
    values = {
        "tool": tool_id,
        **locate_windows(identity_id, [claim.window for claim in claims]),
        "amounts": [claim.amount for claim in claims],
        "counts": [claim.count_limit for claim in claims],
        "limits": [claim.amount_limit for claim in claims],
    }
    cursor.execute(_OPEN, values)
    cursor.execute(_RESERVE, values)
    return len(cursor.fetchall()) == len(claims)


def release_caps(cursor: Cursor, identity_id: UUID, tool_id: UUID, held: Sequence[tuple[str, str]]) -> None:
    """Give back what a call that surely had no effect holds, as (window, amount)."""
    values = {
        "tool": tool_id,
        **locate_windows(identity_id, [window for window, _ in held]),
        "amounts": [amount for _, amount in held],
    }
    cursor.execute(_RELEASE, values)


def locate_windows(identity_id: UUID, windows: Iterable[str]) -> dict[str, list[Any]]:
    """Return whose rows these windows are, and what they are called there: the agent's, unless another is named."""
    named = [window.rpartition("/") for window in windows]
    return {
        "identities": [UUID(owner) if owner else identity_id for owner, _, _ in named],
        "windows": [window for _, _, window in named],
    }


def merge_claims(claims: Iterable[CapClaim]) -> list[CapClaim]:
    """Two caps on one window (a count here, an amount there) are one row: keep the tighter of each limit."""
    merged: dict[str, CapClaim] = {}
    for claim in claims:
        other = merged.get(claim.window)
        merged[claim.window] = (
            claim
            if other is None
            else CapClaim(
                claim.window,
                claim.amount,
                _tighter(claim.count_limit, other.count_limit),
                _tighter(claim.amount_limit, other.amount_limit),
            )
        )
    return sorted(merged.values(), key=lambda claim: claim.window)


N = TypeVar("N", int, Decimal)


def _tighter(one: N | None, other: N | None) -> N | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
