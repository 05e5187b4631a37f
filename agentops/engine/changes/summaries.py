"""What summaries, and those that could not be written, do to a run's state."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from agentops.engine import events as e
from agentops.engine.changes import Change, Facts
from agentops.engine.changes.planner import settle_model
from agentops.engine.events import Event
from agentops.engine.state import Mark, RunState
from agentops.engine.windows import find_outgrown


def _summary_requested(state: RunState, facts: Facts, event: Event) -> RunState:
    _check_due(state)
    if facts["through"] != find_outgrown(state):
        raise ValueError("other steps are due")
    return state._replace(
        phase="summarising",
        reserved_tokens=facts["reserved_tokens"],
        reserved_usd=Decimal(facts["reserved_usd"]),
    )


def _check_due(state: RunState) -> None:
    if state.phase not in ("ready", "calling") or state.open_calls or find_outgrown(state) is None:
        raise ValueError("no summary is due")


def _summary_written(state: RunState, facts: Facts, event: Event) -> RunState:
    """The summary stands for the steps that it was made of, for the summary before it, and for gaps."""
    if state.phase != "summarising":
        raise ValueError("no summary is awaited")
    return _put_instead(state, facts, event, "summary", ())


def _summary_failed(state: RunState, facts: Facts, event: Event) -> RunState:
    """Without a summary the oldest steps are left out all the same; an earlier summary stays.

    Where ``another`` model is to be asked, nothing is left out yet.
    """
    if state.phase != "summarising":
        _check_due(state)
    elif not facts["asked"]:
        raise ValueError("a model was asked")
    if facts.get("another"):
        return _ask_another(settle_model(state, facts), facts)
    return _put_instead(state, facts, event, "gap", ("summary",))


def _ask_another(state: RunState, facts: Facts) -> RunState:
    tried = (*state.routing.summary_tried, facts["requested_model"])
    return state._replace(phase="ready", routing=state.routing._replace(summary_tried=tried))


def _put_instead(
    state: RunState, facts: Facts, event: Event, how: Literal["summary", "gap"], staying: tuple[str, ...]
) -> RunState:
    request, *others = state.marks
    earlier = [mark for mark in others if mark.instead in staying]
    kept = [mark for mark in others if not mark.instead and mark.step > facts["through"]]
    mark = Mark(event.seq, 0, facts["size"], instead=how)
    settled = settle_model(state, facts)
    routing = state.routing._replace(summary_tried=())
    return settled._replace(phase="ready", marks=(request, *earlier, mark, *kept), routing=routing)


CHANGES: dict[str, Change] = {
    e.SUMMARY_REQUESTED: _summary_requested,
    e.SUMMARY_WRITTEN: _summary_written,
    e.SUMMARY_FAILED: _summary_failed,
}
