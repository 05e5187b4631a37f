"""When a conversation has outgrown what the model is shown, and which of its steps make room."""

from __future__ import annotations

from collections.abc import Sequence

from agentops.engine.state import Mark, RunState


def find_outgrown(state: RunState) -> int | None:
    """Return up to which step the conversation is summarised before the planner is asked again; None: it fits.

    What is left of it then takes half of the room at most, so that a summary is written now and then, and not with
    every step. The newest step always stays: its results are what the planner is asked about.
    """
    if not state.summarise_at or sum([mark.size for mark in state.marks]) <= state.summarise_at:
        return None
    steps = _sizes([mark for mark in state.marks[1:] if not mark.instead])
    left, through = sum([mark.size for mark in state.marks]), None
    for step, size in steps[:-1]:
        if through is not None and left <= state.summarise_at // 2:
            break
        left, through = left - size, step
    return through


def outgrown_marks(state: RunState, through: int) -> list[Mark]:
    """Return the marks of the steps that a summary is to stand for, what stood for earlier ones included."""
    return [mark for mark in state.marks[1:] if mark.instead or mark.step <= through]


def _sizes(marks: Sequence[Mark]) -> list[tuple[int, int]]:
    sizes: dict[int, int] = {}
    for mark in marks:
        sizes[mark.step] = sizes.get(mark.step, 0) + mark.size
    return sorted(sizes.items())
