"""Calls that are held before they go out, for people to veto them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from agentops.engine.state import CallState
from tools.assessment import Assessment


def hold_facts(call: CallState, assessment: Assessment, now: datetime) -> dict[str, Any]:
    """Return until when the call is held, as facts; empty where its window is over, or it needs none.

    The window is counted from when the call was first held, and is as long as the grants say now: one that was made
    longer meanwhile holds for longer. What was tried before, or is known under its key, is held no more.
    """
    if not assessment.veto_s or assessment.replay or call.attempts:
        return {}
    until = (call.held_since or now) + timedelta(seconds=assessment.veto_s)
    return {"held_until": until.isoformat(), "veto_s": assessment.veto_s} if until > now else {}
