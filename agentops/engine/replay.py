"""Replaying: whether today's engine would have told the driver to do what a recorded history says it did.

What a driver has decided is written together with its next outcome, and people may add to the stream in
between. So an event is explained by the command for the state before it, or, where the driver may not have
known them yet, for that state without the latest words of people.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

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
    SettleLostAnswer,
    SettleLostAttempt,
    SettleLostEmbedding,
    SettleLostSummary,
    Summarise,
    Wait,
)
from agentops.engine.decide import LOST, next_command
from agentops.engine.events import BY_PEOPLE, INTENTS, Event
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.engine.state import CallState, RunState
from agentops.engine.trouble import decide_follow_up
from agentops.errors import NondeterminismError

# What people have decided elsewhere; the driver notes it whenever it looks.
_VERDICTS = frozenset(
    (
        e.APPROVAL_GRANTED,
        e.APPROVAL_REFUSED,
        e.CONFIRMATION_GIVEN,
        e.CONFIRMATION_REFUSED,
        e.CALL_EDITED,
        e.CALL_ASKED_BACK,
        e.BUDGET_BOUND,
        e.AUTHORITY_LOST,
    )
)
_OF_MODEL = frozenset(
    (
        e.STEP_DECIDED,
        e.MODEL_FAILED,
        e.SUMMARY_WRITTEN,
        e.SUMMARY_FAILED,
        e.EMBEDDING_MADE,
        e.EMBEDDING_FAILED,
    )
)
_OF_ATTEMPT = frozenset((e.ATTEMPT_FAILED, e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_UNKNOWN, e.CALL_AWAITED))
_ASKED_AGAIN = ("unknown", "awaited")  # what became of the attempt is found out by asking
_OF_BUDGET = frozenset((e.BUDGET_DRAWN, e.BUDGET_EXHAUSTED))
_BEFORE_ASKING = frozenset((e.PLAN_FROZEN, e.MEMORY_RECALLED, e.EMBEDDING_REQUESTED))
_NAMES_CALL = frozenset(("call", "for_call"))
_OF_ADMISSION = frozenset((e.RUN_HELD_BACK, e.RUN_ADMITTED))
_ASSESSED = frozenset(
    (
        e.CALL_ALLOWED,
        e.CALL_GATED,
        e.CONFIRMATION_REQUESTED,
        e.CALL_REFUSED,
        e.CALL_ASKED,
        e.CALL_STAGED,
        e.PLAN_FROZEN,
        e.RESULT_READ,
        e.MEMORY_RECALLED,
        e.MEMORY_WRITTEN,
        e.EMBEDDING_REQUESTED,
    )
)
_CALLED = frozenset(
    (
        e.ATTEMPT_STARTED,
        e.CALL_REFUSED,
        e.CALL_GATED,
        e.CONFIRMATION_REQUESTED,
        e.CALL_HELD,
        e.CALL_DEFERRED,
        e.CALL_UNKNOWN,
        e.CALL_SUCCEEDED,
        e.CALL_FAILED,
    )
)


def replay(events: Iterable[Event]) -> list[Command]:
    """Return the commands that explain a history, one per decision of its driver.

    Raises NondeterminismError at the first event that the engine would not have led to, UnfoldableEvent for
    a history that is none.
    """
    history = iter(events)
    first = next(history, None)
    if first is None:
        raise UnfoldableEvent("the stream is empty")
    reader = Reader(fold(None, first))
    for event in history:
        reader.read(event)
    return reader.commands


class Reader:
    """What a driver may have known at each point: the last view knows all, the others not yet all people's words."""

    def __init__(self, state: RunState) -> None:
        self.views = [state]
        self.commands: list[Command] = []
        self._batch: CallTools | None = None

    @property
    def state(self) -> RunState:
        """Return the state after all that was read."""
        return self.views[-1]

    def skip(self, event: Event) -> None:
        """Take an event as it is recorded, for whoever reads on behind one that the engine would not have led to."""
        self._batch, self.views = None, [fold(self.state, event)]

    def read(self, event: Event) -> None:
        """Take the next event; raises NondeterminismError and UnfoldableEvent, and has then taken nothing."""
        if event.kind in BY_PEOPLE:
            self.views.append(fold(self.views[-1], event))
            return
        if event.kind != e.ATTEMPT_STARTED:  # calls that go out together are started one after another
            self._batch = None
        if event.kind in INTENTS:  # an intent that meets a moved head is dropped, so this one knew all
            self.views = self.views[-1:]
        if self._is_decided(event):
            self.commands.append(self._explain(event))
        known = fold(self.views[-1], event)
        self.views = [*(seen for view in self.views[:-1] if (seen := _fold_late(view, event))), known]

    def _is_decided(self, event: Event) -> bool:
        """Whether a driver was told to do this, rather than the world or people having answered."""
        if event.kind in _VERDICTS or self._is_of_child(event):
            return False
        if event.kind in _OF_MODEL:  # a model's answer, unless there was none, or none was asked
            return bool(event.facts.get("code") == LOST or not event.facts.get("asked", True))
        call = self._attempt_of(event)
        if call is None:
            return True
        _check_follow_up(call, event)
        return call.status in _ASKED_AGAIN or event.facts["code"] == LOST

    def _is_of_child(self, event: Event) -> bool:
        """Whether this tells of a child run: it began with the attempt that stands before, or has ended."""
        if event.kind not in _OF_ATTEMPT:
            return event.kind == e.CALL_DELEGATED
        return self.views[-1].call(event.facts["call"]).status == "delegated"

    def _attempt_of(self, event: Event) -> CallState | None:
        """Return the call of which an attempt ends here, if one does."""
        if event.kind not in _OF_ATTEMPT:
            return None
        call = self.views[-1].call(event.facts["call"])
        if event.facts.get("attempt", call.attempts) != call.attempts:  # its own attempt is not on the record
            raise NondeterminismError(f"an outcome of attempt {call.attempts}", _words(event))
        return call if call.status in ("started", *_ASKED_AGAIN) else None

    def _explain(self, event: Event) -> Command:
        if self._batch and event.facts["call"] in self._batch.calls:
            return self._batch
        idle_ms, at = event.facts.get("idle_ms", 0), self._find_moment(event)
        given = [(view, next_command(view, at, idle_ms)) for view in self.views]
        for view, command in reversed(given):
            if _leads_to(command, event, view):
                if event.kind == e.ATTEMPT_STARTED and isinstance(command, CallTools):
                    self._batch = command
                return command
        raise NondeterminismError(given[-1][1], _words(event))

    def _find_moment(self, event: Event) -> datetime:
        """Return when the driver was told: an answer to a question takes its time, so then it was due."""
        asked = self._attempt_of(event)
        due = asked.retry_at if asked and asked.status in _ASKED_AGAIN else None
        return event.at if due is None else min(due, event.at)


def _check_follow_up(call: CallState, event: Event) -> None:
    """Decide once more what follows an attempt; entries of old lack what that rests on."""
    if "jitter" not in event.facts:
        return
    kind, follow = decide_follow_up(call, event.facts)
    recorded = {name: event.facts[name] for name in ("then", "delay_ms") if name in event.facts}
    if (kind, follow) != (event.kind, recorded):
        raise NondeterminismError(f"{kind} {follow}", _words(event))


def _words(event: Event) -> str:
    return f"{event.kind} {event.facts} at {event.seq}"


def _fold_late(view: RunState, event: Event) -> RunState | None:
    """Return the view with one more event, or None where it cannot have been the driver's."""
    try:
        return fold(view, event._replace(seq=view.seq + 1))
    except UnfoldableEvent:
        return None


def _leads_to(command: Command, event: Event, view: RunState) -> bool:
    facts, kind = event.facts, event.kind
    match command:
        case AskPlanner(step, attempt):
            unasked = kind == e.MODEL_FAILED and not facts.get("asked", True)
            begun = kind == e.MODEL_REQUESTED or unasked
            asked = begun and (facts["step"], facts["attempt"]) == (step, attempt)
            return asked or kind in _OF_BUDGET or (kind in _BEFORE_ASKING and not facts.keys() & _NAMES_CALL)
        case SettleLostAnswer(step, attempt):
            lost = kind == e.MODEL_FAILED and facts.get("asked", True)
            return lost and (facts["step"], facts["attempt"]) == (step, attempt)
        case Summarise(through):
            unasked = kind == e.SUMMARY_FAILED and not facts["asked"]
            begun = (kind == e.SUMMARY_REQUESTED or unasked) and facts["through"] == through
            return begun or kind in _OF_BUDGET
        case SettleLostSummary(through):
            return kind == e.SUMMARY_FAILED and facts["asked"] and facts["through"] == through
        case SettleLostEmbedding():
            return kind == e.EMBEDDING_FAILED
        case AssessCalls(calls):
            # A vector for a call that looks for notes is paid for like any other call of a model.
            return (
                kind in _ASSESSED and facts.get("call", facts.get("for_call")) in calls
            ) or kind in _OF_BUDGET
        case CallTools(calls):
            return kind in _CALLED and facts["call"] in calls and _may_go_out(view.call(facts["call"]), calls)
        case CallOff(calls):
            return kind in (e.CALLED_OFF, e.CALL_REFUSED) and facts["call"] in calls
        case SettleLostAttempt(call):
            return kind in _OF_ATTEMPT and (facts["call"], facts["code"]) == (call, LOST)
        case ReadBack(call):
            return kind in _OF_ATTEMPT and facts["call"] == call
        case Park(call):
            return kind == e.CALL_PARKED and facts["call"] == call
        case Admit():
            return kind in _OF_ADMISSION
        case AskMore(limit):
            return kind == e.LIMIT_REACHED and facts["limit"] == limit
        case Wait(for_people=True):
            return kind == e.BUDGET_RETURNED
        case OfferChanges(items):
            return kind == e.CHANGES_OFFERED and facts["items"] == items
        case Finish(ending, reason, limit):
            recorded = (facts.get("reason", ""), facts.get("limit", limit))
            return kind == ending and recorded == (reason, limit)
        case _:
            return False


def _may_go_out(call: CallState, together: tuple[int, ...]) -> bool:
    """Whether a call is one that may be made, and a write alone."""
    return call.may_run and (call.effect == "read" or len(together) == 1)
