"""Runs that agents make of each other stand in one trace, each below the call that made it."""

from __future__ import annotations

import pytest

from runs.tasks import export_spans
from tests.otel.receiver import Receiver
from tests.runs.company import Company
from tests.runs.delegation.conftest import House, house

pytestmark = pytest.mark.otel

__all__ = ["house"]  # fixtures


def test_a_child_stands_below_the_call_that_made_it(
    receiver: Receiver, house: House, company: Company
) -> None:
    run = house.ask(("ask_researcher", {"topic": "colours"}))
    (child,) = house.children(run)
    house.answer(child)
    house.finish(run)
    export_spans()
    roots = {span.attributes["agentops.run.id"]: span for span in receiver.named("invoke_agent ")}
    call = receiver.the("execute_tool ask_researcher")
    parent, below = roots[str(run.pk)], roots[str(child.pk)]
    assert (call.parent_id, below.parent_id) == (parent.span_id, call.span_id)
    assert {span.trace_id for span in receiver.spans} == {run.trace_id}
    assert parent.parent_id == ""
    assert call.attributes["agentops.child.run.id"] == str(child.pk)
    assert call.began <= below.began <= below.ended <= call.ended
    chats = [span for span in receiver.named("chat ") if span.parent_id == below.span_id]
    assert len(chats) == 1


def test_a_call_that_waits_for_a_child_is_told_once_it_has_ended(
    receiver: Receiver, house: House, company: Company
) -> None:
    """What is told meanwhile must not be told again with it."""
    run = house.ask(("ask_researcher", {"topic": "colours"}))
    export_spans()
    (child,) = house.children(run)
    house.answer(child)
    export_spans()
    assert not receiver.named("execute_tool ")
    house.finish(run)
    export_spans()
    told = [span.span_id for span in receiver.spans]
    assert len(told) == len(set(told)) == 6
    assert receiver.the("execute_tool ").attributes["agentops.outcome"] == "succeeded"
