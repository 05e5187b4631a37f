"""When a run rests, as an application sees it."""

from __future__ import annotations

from collections.abc import Collection

from agentops.client import types as t

# What an application answers itself; everything else is for staff.
FOR_THE_APPLICATION: tuple[str, ...] = ("input", "confirmation")

ENDED = ("completed", "halted", "failed", "cancelled", "expired")
# Entries after which a run may have come to rest. What a later version adds is noticed within a keep-alive.
RESTS = (
    "call.gated",
    "call.asked",
    "call.parked",
    "confirmation.requested",
    "run.limit_reached",
    "changes.offered",
    *(f"run.{state}" for state in ENDED),
)


def is_at_rest(run: t.Run | t.RunDetail, returns_on: Collection[str]) -> bool:
    """Whether a run has ended, or waits for something of these types."""
    return run["state"] in ENDED or any(action["type"] in returns_on for action in run["required_actions"])


def may_rest_after(event: t.Event) -> bool:
    """Whether it is worth looking at the run after an entry."""
    return event["kind"] in RESTS
