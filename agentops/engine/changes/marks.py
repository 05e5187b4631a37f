"""Which entries' contents belong to the model's window."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.state import MARKS_LIMIT, Mark, RunState


def mark_entry(state: RunState, event: Event) -> RunState:
    """Remember that this entry's content belongs to the model's window."""
    said = event.kind == e.MESSAGE_RECEIVED
    step = state.step_of(event.facts.get("call", state.step))
    mark = Mark(event.seq, step, event.facts.get("size", 0), said)
    marks = (*state.marks, mark)
    if len(marks) > MARKS_LIMIT:
        marks = _forget_settled(state, marks) if state.is_external else _forget_oldest(marks)
    return state._replace(marks=marks)


def _forget_settled(state: RunState, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Forget the oldest entry that is of no open call: of those everything is still needed."""
    still_open = {call.number for call in state.open_calls}
    oldest = next(mark for mark in marks[1:] if mark.step not in still_open and not mark.instead)
    return tuple([mark for mark in marks if mark is not oldest])


def _forget_oldest(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """Forget the oldest step whole, for an answer without its question confuses every model; never the request."""
    request, *others = marks
    instead, rest = [mark for mark in others if mark.instead], [mark for mark in others if not mark.instead]
    kept = [mark for mark in rest if mark.step > rest[0].step]
    if not kept:  # one step has so many marks only by what the user said meanwhile
        kept = [mark for mark in rest if mark is not next((each for each in rest if each.said), rest[0])]
    return request, *instead, *kept
