"""Replaying: whether today's engine would have told the driver to do what a recorded history says it did.

What a driver has decided is written together with its next outcome, and people may add to the stream in
between. So an event is explained by the command for the state before it, or, where the driver may not have
known them yet, for that state without the latest words of people.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agentops.engine import events as e
from agentops.engine.commands import AskPlanner, AssessCalls, CallTools, Command, Finish, Park, Wait
from agentops.engine.decide import next_command
from agentops.engine.events import BY_PEOPLE, INTENTS, Event
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.engine.state import RunState
from agentops.errors import NondeterminismError

# What people have decided elsewhere; the driver notes it whenever it looks.
_VERDICTS = frozenset((e.APPROVAL_GRANTED, e.APPROVAL_REFUSED, e.BUDGET_BOUND, e.AUTHORITY_LOST))
_OF_MODEL = frozenset((e.STEP_DECIDED, e.MODEL_FAILED))
_OF_ATTEMPT = frozenset((e.ATTEMPT_FAILED, e.CALL_SUCCEEDED, e.CALL_FAILED, e.CALL_UNKNOWN))
_OF_BUDGET = frozenset((e.BUDGET_DRAWN, e.BUDGET_EXHAUSTED))
_ASSESSED = frozenset((e.CALL_ALLOWED, e.CALL_GATED, e.CALL_REFUSED, e.CALL_ASKED))
_CALLED = frozenset(
    (e.ATTEMPT_STARTED, e.CALL_REFUSED, e.CALL_GATED, e.CALL_DEFERRED, e.CALL_UNKNOWN, e.CALL_SUCCEEDED)
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
    reader = _Reader(fold(None, first))
    for event in history:
        reader.read(event)
    return reader.commands


class _Reader:
    """What a driver may have known at each point: the last view knows all, the others not yet all people's words."""

    def __init__(self, state: RunState) -> None:
        self.views = [state]
        self.commands: list[Command] = []
        self._batch: CallTools | None = None

    def read(self, event: Event) -> None:
        if event.kind in BY_PEOPLE:
            self.views.append(fold(self.views[-1], event))
            return
        if event.kind != e.ATTEMPT_STARTED:  # calls that go out together are started one after another
            self._batch = None
        if event.kind in INTENTS:  # an intent that meets a moved head is dropped, so this one knew all
            self.views = self.views[-1:]
        if event.kind not in _VERDICTS and not self._is_outcome(event):
            self.commands.append(self._explain(event))
        known = fold(self.views[-1], event)
        self.views = [*(seen for view in self.views[:-1] if (seen := _fold_late(view, event))), known]

    def _is_outcome(self, event: Event) -> bool:
        """Whether the world has answered to what was started: no decision of ours."""
        if event.kind in _OF_MODEL:
            return True
        if event.kind not in _OF_ATTEMPT:
            return False
        call = self.views[-1].call(event.facts["call"])
        if event.facts.get("attempt", call.attempts) != call.attempts:  # its own attempt is not on the record
            raise NondeterminismError(f"an outcome of attempt {call.attempts}", _words(event))
        return call.status in ("started", "unknown")

    def _explain(self, event: Event) -> Command:
        if self._batch and event.facts["call"] in self._batch.calls:
            return self._batch
        given = [next_command(view, event.at, event.facts.get("idle_ms", 0)) for view in self.views]
        for command in reversed(given):
            if _leads_to(command, event):
                if event.kind == e.ATTEMPT_STARTED and isinstance(command, CallTools):
                    self._batch = command
                return command
        raise NondeterminismError(given[-1], _words(event))


def _words(event: Event) -> str:
    return f"{event.kind} {event.facts} at {event.seq}"


def _fold_late(view: RunState, event: Event) -> RunState | None:
    """Return the view with one more event, or None where it cannot have been the driver's."""
    try:
        return fold(view, replace(event, seq=view.seq + 1))
    except UnfoldableEvent:
        return None


def _leads_to(command: Command, event: Event) -> bool:
    facts = event.facts
    match command:
        case AskPlanner(step, attempt):
            asked = event.kind == e.MODEL_REQUESTED and (facts["step"], facts["attempt"]) == (step, attempt)
            return asked or event.kind in _OF_BUDGET
        case AssessCalls(calls):
            return event.kind in _ASSESSED and facts["call"] in calls
        case CallTools(calls):
            return event.kind in _CALLED and facts["call"] in calls
        case Park(call):
            return event.kind == e.CALL_PARKED and facts["call"] == call
        case Wait(for_people=True):
            return event.kind == e.BUDGET_RETURNED
        case Finish(kind, reason, limit):
            ending = (facts.get("reason", ""), facts.get("limit", limit))
            return event.kind == kind and ending == (reason, limit)
        case _:
            return False
