"""What operators do to a breaker. A forced-open is a row, so nothing that happens to Redis lifts it."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.rows import check_fields
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from tools.breaker import breaker
from tools.mirror import keep_moves
from tools.models import BreakerState, Tool
from tools.services.catalogue import OPERATE, lock_tool, record_tool, withdraw_credentials


@transaction.atomic
def force_breaker_open(*, actor: User, tool: Tool, reason: str) -> Tool:
    """Stop all calls of a tool until a person lifts it; raises StateConflict when that was done."""
    locked = lock_tool(tool)
    require(actor, OPERATE, locked.team, locked)
    if locked.forced_open_at is not None:
        raise StateConflict("breaker_forced_open", f"the breaker of {locked.name} is forced open already")
    locked.forced_open_by, locked.forced_open_at, locked.forced_open_reason = actor, timezone.now(), reason
    check_fields(locked)
    locked.save(update_fields=["forced_open_by", "forced_open_at", "forced_open_reason"])
    record_tool(locked, "breaker.forced_open", actor, {}, reason)
    withdraw_credentials(locked)
    return locked


@transaction.atomic
def lift_forced_breaker(*, actor: User, tool: Tool) -> Tool:
    """Let calls through again, as far as the automatic breaker does."""
    locked = lock_tool(tool)
    require(actor, OPERATE, locked.team, locked)
    require_fresh_factor(actor)
    if locked.forced_open_at is None:
        raise StateConflict("breaker_not_forced", f"nobody has forced the breaker of {locked.name} open")
    locked.forced_open_by, locked.forced_open_at, locked.forced_open_reason = None, None, ""
    locked.save(update_fields=["forced_open_by", "forced_open_at", "forced_open_reason"])
    record_tool(locked, "breaker.force_lifted", actor, {})
    return locked


@transaction.atomic
def reset_breaker(*, actor: User, tool: Tool) -> Tool:
    """Close the automatic breaker and forget its failures; a forced-open stays.

    Raises AgentOpsError (breaker_unreachable) while Redis does not answer; nothing is recorded then.
    """
    locked = lock_tool(tool)
    require(actor, OPERATE, locked.team, locked)
    record_tool(locked, "breaker.reset", actor, {})
    keep_moves(locked, breaker().snapshot(locked.id).moves)  # what it remembers goes with what it has counted
    BreakerState.objects.filter(tool=locked).update(
        state="closed", changed_at=timezone.now(), retry_at=None, reason="reset"
    )
    breaker().reset(locked.id)  # last: everything before it can be rolled back
    return locked
