"""What a model call may cost is held before it is made: out of the run's own limits, and of shared budgets."""

from __future__ import annotations

from agentops.engine.budgets import DrawFirst, Rates, Reservation, Shortfall, plan_reservation
from agentops.errors import StateConflict
from runs import escrow
from runs.session import Session


def hold(session: Session, prompt_tokens: int, completion_tokens: int, rates: Rates) -> Reservation | None:
    """Return the reservation, for which a draw may have been noted; None when a budget is exhausted, which is noted."""
    plan = plan_call(session, prompt_tokens, completion_tokens, rates)
    if isinstance(plan, Shortfall):
        escrow.note_exhausted(session, plan)
        return None
    return plan


def plan_call(
    session: Session, prompt_tokens: int, completion_tokens: int, rates: Rates
) -> Reservation | Shortfall:
    """Return the reservation of a model call, for which a draw may have been noted, or what the run lacks for it."""

    def plan_now() -> Reservation | DrawFirst | Shortfall:
        return plan_reservation(
            session.state, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, rates=rates,
            now=session.now,
        )  # fmt: skip

    plan = plan_now()
    if isinstance(plan, DrawFirst):
        escrow.draw(session, plan.wanted)
        plan = plan_now()
    if isinstance(plan, DrawFirst):
        raise StateConflict("undrawn", f"run {session.context.run_id} drew, and holds too little")
    return plan
