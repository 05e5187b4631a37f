"""What to do next: one function from a state and the time to exactly one command."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import cast, get_args

from agentops.engine import events as e
from agentops.engine.commands import (
    Admit,
    AskMore,
    AskPlanner,
    AssessCalls,
    CallOff,
    CallTools,
    Command,
    Finish,
    OfferChanges,
    Park,
    ReadBack,
    Rest,
    SettleLostAnswer,
    SettleLostAttempt,
    SettleLostEmbedding,
    SettleLostSummary,
    Summarise,
    Wait,
)
from agentops.engine.joins import find_surplus
from agentops.engine.loops import is_stuck
from agentops.engine.state import CallState, CallStatus, LimitReached, LostAuthority, RunState
from agentops.engine.windows import find_outgrown

MODEL_ATTEMPTS = 3
LOST = "lost"
# Before this engine version an overrun took a run's final answer away.
OVERRUN_ANSWERS = 2


def next_command(state: RunState, now: datetime, idle_ms: int = 0) -> Command:
    """Return the one next command. Lost work is settled first, then what people asked for, then the plan.

    ``idle_ms`` is how long the run, being due, has waited for a driver since its last event: no working time.
    """
    if state.has_ended:
        return Rest()
    deadline = find_deadline(state, now, idle_ms)
    if command := _settle_losses(state) or _heed_people(state, now):
        return command
    return Admit() if state.admission else _carry_on(state, now, deadline)


def find_deadline(state: RunState, now: datetime, idle_ms: int) -> datetime:
    """Return when the run's working time is used up, should nothing happen until then."""
    left_ms = state.limits.seconds * 1000 - state.used.worked_ms
    return (state.working_since or now) + timedelta(milliseconds=left_ms + idle_ms)


def _settle_losses(state: RunState) -> Command | None:
    """A driver that died left either a call of a model or attempts without an outcome."""
    if state.phase == "asking":
        return SettleLostAnswer(state.step, state.model_attempt)
    if state.phase == "summarising":
        return SettleLostSummary(find_outgrown(state) or 0)
    if state.phase == "embedding":
        return SettleLostEmbedding()
    for call in state.calls:
        if call.status == "started":
            return SettleLostAttempt(call.number)
        if call.status == "parking":
            return Park(call.number)
    return None


def _heed_people(state: RunState, now: datetime) -> Command | None:
    if state.killed:
        return Finish(e.RUN_HALTED, "killed")
    if state.cancelling:
        return Finish(e.RUN_CANCELLED, "cancelled_by_user")
    if state.lost_authority:
        return Finish(e.RUN_HALTED, state.lost_authority)
    if state.closed:
        return Finish(e.RUN_COMPLETED, "")
    if now >= state.expires_at:
        return Finish(e.RUN_EXPIRED, "expired")
    if state.paused:
        return Wait(state.expires_at, "paused", for_people=True)
    if state.extensible.asked:
        return Wait(state.expires_at, "requires_action", for_people=True)
    return None


def _carry_on(state: RunState, now: datetime, deadline: datetime) -> Command:
    if state.phase == "answered" and state.staged and state.review != "settled":
        return _put_to_review(state)
    if state.phase == "answered" and (state.engine >= OVERRUN_ANSWERS or not state.is_overspent):
        return Finish(e.RUN_COMPLETED, "")
    if state.exhausted or state.is_overspent:
        over: LimitReached = "tokens" if state.used.tokens > state.limits.tokens else "usd"
        return _stop_at(state, state.exhausted) if state.exhausted else _halt_at(over)
    if state.is_external:
        return _serve(state, now, deadline)
    if is_stuck(state) and state.open_calls:
        return Finish(e.RUN_HALTED, "stuck")
    if state.phase == "calling" and state.open_calls:
        return _next_for_calls(state, now, deadline)
    return _halting_outcome(state) or _ask(state, now, deadline)


def _put_to_review(state: RunState) -> Command:
    """What was proposed is put before people, and the run waits for them."""
    if state.review == "offered":
        return Wait(state.expires_at, "requires_action", for_people=True)
    return OfferChanges(state.staged)


def _serve(state: RunState, now: datetime, deadline: datetime) -> Command:
    """Take up what has arrived, see to the calls that are open, and end once nobody has called for long enough."""
    if lost := _lost_authority(state):
        return lost
    if state.may_take:
        return _ask(state, now, deadline)
    if state.open_calls:
        return _next_for_calls(state, now, deadline)
    idle_until = (state.heard_at or now) + timedelta(seconds=state.idle_s)
    if now >= idle_until:
        return Finish(e.RUN_COMPLETED, "")
    return Wait(min(idle_until, state.expires_at), "in_progress", for_people=True)


def _halt_at(limit: LimitReached) -> Finish:
    return Finish(e.RUN_HALTED, "budget_reached", limit)


OWN_LIMITS = frozenset(("steps", "tokens", "usd", "seconds"))


def _stop_at(state: RunState, limit: LimitReached) -> Command:
    """Ask a person at a limit of the run's own, if it may; halt at all others, which are not the run's to move."""
    if limit in OWN_LIMITS and state.extensible.left and not state.is_overspent:
        return AskMore(limit)
    return _halt_at(limit)


LOST_AUTHORITY: frozenset[str] = frozenset(get_args(LostAuthority))


def _halting_outcome(state: RunState) -> Command | None:
    """A call refused for want of authority halts the run; so does an open breaker where the tool says so."""
    if lost := _lost_authority(state):
        return lost
    for call in state.calls:
        if call.code == "circuit_open" and call.status == "refused" and call.on_breaker_open == "halt":
            return Finish(e.RUN_HALTED, "circuit_open")
    return None


def _lost_authority(state: RunState) -> Finish | None:
    for call in state.calls:
        if call.status == "refused" and call.code in LOST_AUTHORITY:
            return Finish(e.RUN_HALTED, cast(LostAuthority, call.code))
    return None


def _ask(state: RunState, now: datetime, deadline: datetime) -> Command:
    retrying = state.asks_again
    # A lost answer is no fault of the provider's; it was charged in full, so the budget bounds its repetition.
    gave_up = not state.model_retryable or (
        state.model_attempt >= MODEL_ATTEMPTS and state.model_code != LOST
    )
    if retrying and gave_up:
        return Finish(e.RUN_FAILED, "planner_error")
    if max(now, state.retry_at or now) >= deadline:
        return _stop_at(state, "seconds")
    if state.retry_at is not None and now < state.retry_at:
        return Wait(min(state.retry_at, state.expires_at), "in_progress", for_people=False)
    if retrying:
        return AskPlanner(state.step, state.model_attempt + 1)
    if state.committed.steps >= state.limits.steps:
        return _stop_at(state, "steps")
    through = find_outgrown(state)
    return AskPlanner(state.next_step, 1) if through is None else Summarise(through)


def _next_for_calls(state: RunState, now: datetime, deadline: datetime) -> Command:
    proposed = tuple([call.number for call in state.calls if call.status == "proposed"])
    if proposed:
        return AssessCalls(proposed)
    if any(call.status == "parked" and call.on_unknown == "halt" for call in state.calls):
        return Finish(e.RUN_HALTED, "outcome_unknown")
    if surplus := find_surplus(state):
        return CallOff(surplus)
    unknown = _first_due(state, "unknown", now) or _first_due(state, "awaited", now)
    if unknown:
        return ReadBack(unknown.number)
    runnable = _runnable(state, now)
    if now >= deadline:
        if (runnable or not state.waits_for_people) and not any(call.in_doubt for call in state.open_calls):
            return _stop_at(state, "seconds")
        # What may have happened is still found out: after the run's end nobody could say any more.
        runnable = tuple(number for number in runnable if state.call(number).in_doubt)
    if runnable:
        return CallTools(runnable)
    return _wait_for_calls(state, now, deadline)


def _first_due(state: RunState, status: CallStatus, now: datetime) -> CallState | None:
    for call in state.calls:
        if call.status == status and _is_due(state, call, now):
            return call
    return None


def _is_due(state: RunState, call: CallState, now: datetime) -> bool:
    # Whoever proposed a held call has not read the user's last words: it is looked at again, and goes out no more.
    return call.retry_at is None or now >= call.retry_at or (call.status == "held" and state.unread)


def _runnable(state: RunState, now: datetime) -> tuple[int, ...]:
    """All reads that may run go together; of the writes only the first that is not settled, in proposed order.

    In an external run that is the first that may run: who calls decides what has to wait for what.
    """
    open_calls = state.open_calls
    reads = tuple(
        [c.number for c in open_calls if c.effect == "read" and c.may_run and _is_due(state, c, now)]
    )
    if reads:
        return reads
    writes = [c for c in open_calls if c.effect != "read" and c.status != "asked"]
    if state.is_external:
        writes = [c for c in writes if c.may_run and _is_due(state, c, now)]
    if writes and writes[0].may_run and _is_due(state, writes[0], now):
        return (writes[0].number,)
    return ()


def _wait_for_calls(state: RunState, now: datetime, deadline: datetime) -> Command:
    """Wait for the earliest time that something becomes due; people come by themselves, the run's end does not."""
    times = [c.retry_at for c in state.open_calls if c.retry_at is not None]
    if not state.waits_for_people:
        times.append(deadline)
    required = state.requires_people
    until = min([time for time in times if time > now] + [state.expires_at])
    return Wait(until, "requires_action" if required else "in_progress", for_people=state.waits_for_people)
