"""What a run holds of shared budgets, and what keeps it from going on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.marks import mark_entry
from agentops.engine.events import Event
from agentops.engine.state import Drawn, Extensible, Limits, RunState


def _budget_bound(state: RunState, facts: Facts, event: Event) -> RunState:
    """A budget was set under way: the next call draws on all anew, and what was spent before is not the new one's."""
    held, spent, shared = state.drawn, state.spent, facts["shared"]
    drawn = Drawn(
        spent.steps if held.steps is None and "steps" in shared else held.steps,
        spent.tokens if held.tokens is None and "tokens" in shared else held.tokens,
        spent.usd if held.usd is None and "usd" in shared else held.usd,
        event.at,
    )
    return state._replace(drawn=drawn, unshared=state.unshared if held.units else spent)


def _budget_drawn(state: RunState, facts: Facts, event: Event) -> RunState:
    held = state.drawn
    return state._replace(
        drawn=Drawn(
            None if held.steps is None else held.steps + facts["steps"],
            None if held.tokens is None else held.tokens + facts["tokens"],
            None if held.usd is None else held.usd + Decimal(facts["usd"]),
            datetime.fromisoformat(facts["until"]),
        ),
    )


def _budget_returned(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.phase in ("asking", "summarising", "embedding"):
        raise ValueError("what is reserved cannot go back")
    held = state.drawn
    kept = Drawn(
        None if held.steps is None else held.steps - facts["steps"],
        None if held.tokens is None else held.tokens - facts["tokens"],
        None if held.usd is None else held.usd - Decimal(facts["usd"]),
        held.until,
    )
    return state._replace(drawn=kept)


def _budget_exhausted(state: RunState, facts: Facts, event: Event) -> RunState:
    whose = f"{facts['whose']} {facts['window']}" if "whose" in facts else ""
    return state._replace(exhausted=facts["limit"], exhausted_of=whose)


def _limit_reached(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.extensible.left < 1 or state.extensible.asked:
        raise ValueError("the run may not ask for more, or does already")
    asked = Extensible(state.extensible.left - 1, facts["extension"], facts["expires_at"])
    return state._replace(extensible=asked)


def _budget_extended(state: RunState, facts: Facts, event: Event) -> RunState:
    """A person lets the run go on: its limits are wider, and what was reserved of shared budgets is held."""
    extensible, limits, held, more = _awaited(state, facts), state.limits, state.drawn, facts["drawn"]
    wider = Limits(
        limits.steps + facts["steps"],
        limits.tokens + facts["tokens"],
        limits.usd + Decimal(facts["usd"]),
        limits.seconds + facts["seconds"],
    )
    drawn = Drawn(
        None if held.steps is None else held.steps + more["steps"],
        None if held.tokens is None else held.tokens + more["tokens"],
        None if held.usd is None else held.usd + Decimal(more["usd"]),
        datetime.fromisoformat(facts["until"]),
    )
    extended = state._replace(
        limits=wider, drawn=drawn if held.units else held, extensible=extensible, exhausted="", cut_off=False
    )
    return extended if state.is_external else mark_entry(extended, event)


def _extension_refused(state: RunState, facts: Facts, event: Event) -> RunState:
    """Nobody lets it go on: the limit halts it, and it asks no more."""
    return state._replace(extensible=_awaited(state, facts)._replace(left=0))


def _awaited(state: RunState, facts: Facts) -> Extensible:
    if not state.extensible.asked or state.extensible.asked != facts["extension"]:
        raise ValueError("the run does not wait for this")
    return state.extensible._replace(asked="", expires_at="")


def _authority_lost(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(lost_authority=facts["code"])


CHANGES: dict[str, Change] = {
    e.BUDGET_BOUND: _budget_bound,
    e.BUDGET_DRAWN: _budget_drawn,
    e.BUDGET_RETURNED: _budget_returned,
    e.BUDGET_EXHAUSTED: _budget_exhausted,
    e.LIMIT_REACHED: _limit_reached,
    e.BUDGET_EXTENDED: _budget_extended,
    e.EXTENSION_REFUSED: _extension_refused,
    e.AUTHORITY_LOST: _authority_lost,
}
