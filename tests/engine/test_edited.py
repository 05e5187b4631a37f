"""Calls that people edit, and calls about which they ask the planner, as the engine sees them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentops.engine import events as e
from agentops.engine.commands import AskPlanner, AssessCalls
from agentops.engine.decide import next_command
from agentops.engine.fold import UnfoldableEvent, fold_all, is_overtaken
from agentops.engine.snapshots import dump_state, load_state
from agentops.engine.state import RunState
from tests.engine.histories import Written, decided, history, requested
from tests.engine.situations import WHERE, allowed, gated, started
from tests.engine.world import START

ONE = [requested(1), decided(1)]
EDITED: Written = (e.CALL_EDITED, {**WHERE, "args_digest": "edited", "size": 20})
ASKED_BACK: Written = (e.CALL_ASKED_BACK, {**WHERE, "size": 9})
LATER = START + timedelta(seconds=60)


def state_after(*written: Written) -> RunState:
    return fold_all(history(*written, engine=7))


def test_an_edited_call_is_a_proposal_with_other_arguments() -> None:
    state = state_after(*ONE, gated(), EDITED)
    call = state.call(1)
    assert (call.status, call.args_digest, call.edited, call.approval) == (
        "proposed",
        "edited",
        state.seq,
        "",
    )
    assert next_command(state, LATER) == AssessCalls((1,))
    assert state.marks[-1].seq == state.seq  # the planner reads it
    assert load_state(dump_state(state)) == state


def test_it_may_be_allowed_or_gated_once_more() -> None:
    assert state_after(*ONE, gated(), EDITED, allowed()).call(1).status == "allowed"
    assert state_after(*ONE, gated(), EDITED, gated()).call(1).status == "waiting"


def test_what_was_asked_back_is_settled_and_the_planner_is_asked() -> None:
    state = state_after(*ONE, gated(), ASKED_BACK)
    assert (state.call(1).status, state.call(1).code, state.open_calls) == ("refused", "asked_back", ())
    assert next_command(state, LATER) == AskPlanner(2, 1)


@pytest.mark.parametrize("event", [EDITED, ASKED_BACK], ids=["edited", "asked back"])
@pytest.mark.parametrize("written", [[], [allowed()], [allowed(), started()]], ids=len)
def test_only_what_waits_for_people_is_theirs(event: Written, written: list[Written]) -> None:
    with pytest.raises(UnfoldableEvent):
        state_after(*ONE, *written, event)


def test_what_was_tried_keeps_its_arguments() -> None:
    failed: dict[str, Any] = {**WHERE, "attempt": 1, "code": "busy", "delay_ms": 0}
    with pytest.raises(UnfoldableEvent, match="other arguments"):
        state_after(*ONE, allowed(), started(), (e.ATTEMPT_FAILED, failed), gated(), EDITED)


@pytest.mark.parametrize("event", [EDITED, ASKED_BACK], ids=["edited", "asked back"])
def test_a_persons_word_begins_the_count_of_circles_anew(event: Written) -> None:
    before = state_after(*ONE, gated())
    assert before.proposed
    assert not state_after(*ONE, gated(), event).proposed


def test_a_refusal_of_what_was_vetoed_meanwhile_is_overtaken() -> None:
    held = allowed(held_until=LATER.isoformat())
    facts = {**WHERE, "code": "user_wrote"}
    assert not is_overtaken(state_after(*ONE, held), e.CALL_REFUSED, facts)
    vetoed = state_after(*ONE, held, (e.CALL_VETOED, WHERE))
    assert is_overtaken(vetoed, e.CALL_REFUSED, facts)
    assert not is_overtaken(vetoed, e.CALL_SUCCEEDED, facts)  # what has happened is kept
