"""Which changes allow more than before: what no reader may miss, and one person alone may not do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

# Ends and ceilings: a later or higher one allows more, none at all allows everything.
LIMITS = frozenset(
    {
        "expires_at",
        "valid_until",
        "approval_ttl_s",
        "waiver_expires_at",
        "max_steps",
        "max_tokens",
        "max_usd",
        "max_seconds",
        "run_expires_after_s",
        "repeat_limit",
        "max_extensions",
        "extension_percent",
        "most",
    }
)
# The other way round: less of it, or none, asks less of people.
FLOORS = frozenset({"veto_s", "within_s", "pause_s", "second_percent"})
FLAGS = frozenset({"confirmation", "before_effect"})
STRICTEST_PLAN_FIRST = ("planner", "words", "")
LEAST_MEMORY_FIRST = ("", "ask", "auto", "all")
STRICTEST_FIRST = ("revoked", "DENY", "REQUIRE_APPROVAL", "ALLOW_WITH_CAPS", "ALLOW")


def loosens(name: str, before: Any, after: Any) -> bool:  # Any: what the field holds
    """Return whether a change of this field takes a guardrail away or moves it further off."""
    if name in LIMITS:
        return before is not None and (after is None or after > before)
    if name == "plan":
        return STRICTEST_PLAN_FIRST.index(after) > STRICTEST_PLAN_FIRST.index(before or "")
    if name in ("decision", "over_caps", "off_plan"):
        return STRICTEST_FIRST.index(after) > STRICTEST_FIRST.index(before)
    if name in FLOORS:
        return (after or 0) < (before or 0)
    if name in FLAGS:
        return bool(before) and not after
    if name == "memory":
        return LEAST_MEMORY_FIRST.index(after or "") > LEAST_MEMORY_FIRST.index(before or "")
    if name == "redact":
        return not set(before or ()) <= set(after or ())
    if name == "second_below":  # none: whatever it moves
        return after is not None and (before is None or Decimal(after) < Decimal(before))
    if name == "policy_table_id":
        return before is not None and after != before
    if name == "config.allow_private":
        return bool(after) and not before
    if name == "caps":
        return not all(_is_kept(cap, after or ()) for cap in before or ())
    return False


def find_loosening(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what ``after`` holds that loosens; what is not known before was not there."""
    return tuple(name for name, value in after.items() if loosens(name, before.get(name), value))


def _is_kept(cap: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether one of the others binds at least as tightly."""
    limits = [name for name in ("count", "amount") if cap.get(name) is not None]
    return any(
        cap["per"] == other["per"]
        and all(other.get(name) is not None and Decimal(other[name]) <= Decimal(cap[name]) for name in limits)
        for other in others
    )
