"""Folding: one event at a time, each with everything it needs, never looking ahead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from agentops.engine import ENGINE_VERSION
from agentops.engine import events as e
from agentops.engine.changes import (
    Change,
    Facts,
    admission,
    budgets,
    calls,
    embeddings,
    memory,
    people,
    planner,
    staging,
    summaries,
)
from agentops.engine.events import Event
from agentops.engine.routing import Routing
from agentops.engine.state import ZERO, Drawn, Extensible, Limits, Mark, RunState
from agentops.errors import StateConflict


class UnfoldableEvent(ValueError):
    """The stream holds an event that this state cannot take: it was written by other rules."""


class NewerEngine(StateConflict):
    """The run goes by rules of a later release than this process's: one of that release has to fold it."""


def fold(state: RunState | None, event: Event) -> RunState:
    """Return the state after one more event.

    Raises UnfoldableEvent for one out of order or unknown, NewerEngine for the start of a run that goes by later rules.
    """
    if state is None:
        return _start(event)
    if event.seq != state.seq + 1 or (state.has_ended and event.kind != e.OUTCOME_SETTLED):
        raise UnfoldableEvent(f"{event.kind} at {event.seq} cannot follow {state.seq} ({state.phase})")
    try:
        change = _CHANGES[event.kind]
        changed = change(state, event.facts, event)
    except (KeyError, ValueError) as error:
        raise UnfoldableEvent(f"{event.kind} at {event.seq}: {error!r}") from error
    return _move_on(changed, event)


def fold_all(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """Return the state after all events; raises UnfoldableEvent when there is none."""
    for event in events:
        state = fold(state, event)
    if state is None:
        raise UnfoldableEvent("the stream is empty")
    return state


def is_overtaken(state: RunState, kind: str, facts: Facts) -> bool:
    """Return whether what a driver was to note is decided anew, for the stream has moved on meanwhile.

    That is why a call does not go out that people have settled, and that no model was there to be asked: by what people
    have said since, another call may be due.
    """
    if kind == e.MODEL_FAILED:
        return not facts.get("asked", True)
    if kind not in _BEFORE_EFFECT or facts["step"] != state.step_of(facts["call"]):
        return False
    return any(call.number == facts["call"] and call.settled for call in state.calls)


def _start(event: Event) -> RunState:
    if event.kind != e.RUN_STARTED or event.seq != 1:
        raise UnfoldableEvent(f"a run starts with {e.RUN_STARTED}, not with {event.kind} at {event.seq}")
    engine = event.facts.get("engine", 1)
    if engine > ENGINE_VERSION:
        raise NewerEngine(
            "newer_engine", f"the run goes by engine {engine}, this process by {ENGINE_VERSION}"
        )
    limits = event.facts["limits"]
    return RunState(
        limits=Limits(limits["steps"], limits["tokens"], Decimal(limits["usd"]), limits["seconds"]),
        expires_at=datetime.fromisoformat(event.facts["expires_at"]),
        repeat_limit=event.facts["repeat_limit"],
        engine=engine,
        drawn=_drawn(event.facts.get("shared")),
        seq=1,
        marks=(Mark(1, 0, event.facts.get("size", 0)),),
        admission="to_ask" if event.facts.get("needs_review") else "",
        idle_s=event.facts.get("idle_s", 0),
        proposes=event.facts.get("mode") == "propose",
        heard_at=event.at if event.facts.get("idle_s") else None,
        extensible=Extensible(event.facts.get("extensions", 0)),
        summarise_at=event.facts.get("summarise_at", 0),
        routing=Routing(**event.facts.get("routing", {})),
    )


def _drawn(shared: list[str] | None) -> Drawn:
    """A run limited by a shared budget starts with nothing drawn of it."""
    held = shared or []
    return Drawn(
        0 if "steps" in held else None, 0 if "tokens" in held else None, ZERO if "usd" in held else None
    )


def _move_on(state: RunState, event: Event) -> RunState:
    """Count the event, and the time since the last one, but not what a due run waited for a driver (``idle_ms``)."""
    spent = state.spent
    if state.working_since is not None:
        passed = (event.at - state.working_since) // _MILLISECOND
        # Not bounded by zero here: somebody's word may have come between the idle time and the event that tells it.
        spent = spent._replace(worked_ms=max(0, spent.worked_ms + passed - event.facts.get("idle_ms", 0)))
    working = event.kind in _BY_DRIVER or state.working_since is not None
    since = event.at if working and not state.waits_for_people and not state.has_ended else None
    if state.is_external:
        state = state._replace(heard_at=event.at)
    return state._replace(seq=event.seq, spent=spent, working_since=since)


def _ended(state: RunState, facts: Facts, event: Event) -> RunState:
    return state._replace(
        phase="ended",
        ending=e.ENDINGS[event.kind],
        reason=facts.get("reason", ""),
        exhausted=facts.get("limit", state.exhausted),
        reserved_tokens=0,
        reserved_usd=ZERO,
    )


_CHANGES: dict[str, Change] = {
    **admission.CHANGES,
    **people.CHANGES,
    **planner.CHANGES,
    **calls.CHANGES,
    **staging.CHANGES,
    **summaries.CHANGES,
    **memory.CHANGES,
    **embeddings.CHANGES,
    **budgets.CHANGES,
    **dict.fromkeys(e.ENDINGS, _ended),
}
# Every kind of entry that a run's stream can hold.
KINDS = (e.RUN_STARTED, *_CHANGES)
_BEFORE_EFFECT = frozenset((e.CALL_REFUSED, e.CALL_HELD, e.CALL_DEFERRED))
_MILLISECOND = timedelta(milliseconds=1)
_BY_DRIVER = frozenset(_CHANGES) - e.BY_PEOPLE
