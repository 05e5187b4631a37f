"""Which entries' contents belong to the model's window."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.state import MARKS_LIMIT, Mark, RunState


def mark_entry(state: RunState, event: Event) -> RunState:
    """Remember that this entry's content belongs to the model's window."""
    said = event.kind == e.MESSAGE_RECEIVED
    mark = Mark(event.seq, state.step, event.facts.get("size", 0), said)
    marks = (*state.marks, mark)
    return state._replace(marks=marks if len(marks) <= MARKS_LIMIT else _forget_oldest(marks))


def _forget_oldest(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Forget the oldest step whole, for an answer without its question confuses every model; never the request."""
    request, *rest = marks
    kept = [mark for mark in rest if mark.step > rest[0].step]
    if not kept:  # one step has so many marks only by what the user said meanwhile
        kept = [mark for mark in rest if mark is not next((each for each in rest if each.said), rest[0])]
    return request, *kept
