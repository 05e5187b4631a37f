"""Noticing that a run goes in circles.

A call (the same tool with the same arguments) that is proposed `repeat_limit` times is a circle, whatever lies
between, for of a cycle that comes round so often every call has been proposed so often. Two things give an agent
cause to propose a call anew: a person has said something, or a write has succeeded, after which what was read
before may read otherwise. The write itself goes on counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentops.engine.state import CallState, Proposed, RunState

# Up to the version before this one only an uninterrupted cycle was seen, and nothing but the run's end ended it.
COUNTED = 3
# Of so many different calls it is remembered how often they were proposed: two turns of the largest kind.
PROPOSED_LIMIT = 128


def is_stuck(state: RunState) -> bool:
    """Whether the calls of the present step go in a circle, by the rules that the run pins."""
    if state.engine < COUNTED:
        return find_cycle(state.recent, state.repeat_limit) > 0
    return 2 <= state.repeat_limit <= state.repeats


def count_proposals(state: RunState, calls: Sequence[CallState]) -> RunState:
    """Return the state with a step's calls counted; those proposed longest ago are forgotten first."""
    counted = {each.signature: each for each in state.proposed}
    for signature in (call.signature for call in calls):
        before = counted.pop(signature, Proposed(signature, 0))
        counted[signature] = before._replace(times=before.times + 1)
    repeats = max((counted[call.signature].times for call in calls), default=0)
    return state._replace(proposed=tuple(counted.values())[-PROPOSED_LIMIT:], repeats=repeats)


def note_success(state: RunState, call: CallState) -> RunState:
    """Return the state after a call has succeeded: after a write, reads that were answered count anew."""
    if call.effect != "read":
        return state._replace(proposed=tuple([each for each in state.proposed if not each.answered]))
    return state._replace(proposed=_mark_answered(state.proposed, call.signature))


def _mark_answered(proposed: Iterable[Proposed], signature: str) -> tuple[Proposed, ...]:
    return tuple([each._replace(answered=True) if each.signature == signature else each for each in proposed])


def forget_proposals(state: RunState) -> RunState:
    """Return the state after a person's word."""
    return state._replace(proposed=(), repeats=0)


def find_cycle(recent: Sequence[str], repeats: int) -> int:
    """Return the length of the shortest cycle that the last proposals repeat ``repeats`` times, or 0.

    ``recent`` holds one signature (tool and arguments' digest) per proposed call, oldest first. A length of 1
    is the same call again and again, 2 is an A-B-A-B-A-B, and so on.
    """
    if repeats < 2:
        return 0
    for length in range(1, len(recent) // repeats + 1):
        tail = recent[-length * repeats :]
        if all(tail[i] == tail[i % length] for i in range(len(tail))):
            return length
    return 0
