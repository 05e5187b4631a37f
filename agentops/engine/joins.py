"""Delegations of one step that belong together: when the rest of them is not needed any more."""

from __future__ import annotations

from collections.abc import Iterable

from agentops.engine.state import CallState, Join, RunState

# What has surely not begun: it is refused. A child that is going is told, and waited for.
_BEFORE = frozenset(("allowed", "confirmed", "approved", "held", "deferred"))
_ASKING = frozenset(("confirming", "waiting"))
# Before this engine version what somebody was asked about was waited for.
NOBODY_ASKED = 10


def find_surplus(state: RunState) -> tuple[int, ...]:
    """Return the calls of the step whose children are not needed, and were not told so yet."""
    groups = {call.join for call in state.calls if call.join.group}
    settled = {join for join in groups if _is_settled(join, [c for c in state.calls if c.join == join])}
    before = _BEFORE | _ASKING if state.engine >= NOBODY_ASKED else _BEFORE
    surplus = [call for call in state.calls if call.join in settled and _may_be_called_off(call, before)]
    return tuple([call.number for call in surplus])


def _may_be_called_off(call: CallState, before: frozenset[str]) -> bool:
    return call.status in before or (call.status == "delegated" and not call.called_off)


def _is_settled(join: Join, calls: Iterable[CallState]) -> bool:
    """Whether what is still open can change nothing of how the group comes out."""
    of_group = list(calls)
    ended = [call for call in of_group if call.settled]
    succeeded = sum(call.status == "succeeded" for call in ended)
    if join.policy == "any":
        return any(call.child for call in ended)
    if join.policy == "quorum":
        return succeeded >= join.needed or succeeded + len(of_group) - len(ended) < join.needed
    return False
