"""What a run proposes: calls that are staged as items of a change set, which people review."""

from __future__ import annotations

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.marks import mark_entry
from agentops.engine.events import Event
from agentops.engine.loops import forget_proposals, note_success
from agentops.engine.state import RunState
from agentops.engine.tiers import expect_plan


def drop_stage(state: RunState) -> RunState:
    """Return the state without what was staged: what comes next begins another change set."""
    return state._replace(change_set="", staged=0, review="")


def _call_staged(state: RunState, facts: Facts, event: Event) -> RunState:
    if not state.proposes or facts["effect"] == "read":
        raise ValueError("only what a proposing run wants to change is staged")
    if facts["item"] != state.staged + 1 or state.change_set not in ("", facts["change_set"]):
        raise ValueError("not the next item of the change set")
    call = state.call(facts["call"])
    if call.status != "proposed" or facts["step"] != state.step_of(call.number):
        raise ValueError("the call is not proposed")
    staged = call._replace(status="staged", tool_version=facts["tool_version"], effect=facts["effect"])
    # It gets on with each item: what it proposes is no circle.
    counted = note_success(state.with_call(staged), staged)
    return mark_entry(counted._replace(change_set=facts["change_set"], staged=facts["item"]), event)


def _offered(state: RunState, facts: Facts, event: Event) -> RunState:
    if state.phase != "answered" or not state.staged or state.review:
        raise ValueError("there is nothing to review, or people have it before them")
    return state._replace(review="offered")


def _sent_back(state: RunState, facts: Facts, event: Event) -> RunState:
    """Those who review want it otherwise: the run goes on, and begins its proposal anew."""
    if not state.is_under_review:
        raise ValueError("there is nothing under review")
    again = expect_plan(drop_stage(forget_proposals(state)), "message")
    return mark_entry(again._replace(phase="ready", unread=True), event)


def _settled(state: RunState, facts: Facts, event: Event) -> RunState:
    if not state.is_under_review:
        raise ValueError("there is nothing under review")
    return state._replace(review="settled")


CHANGES: dict[str, Change] = {
    e.CALL_STAGED: _call_staged,
    e.CHANGES_OFFERED: _offered,
    e.CHANGES_SENT_BACK: _sent_back,
    e.CHANGES_SETTLED: _settled,
}
