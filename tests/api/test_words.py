"""The words that clients branch on: the document lists those that the engine and its projections give, no others."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from agentops.api.document import read_document
from agentops.engine import decide, events
from agentops.engine.decide import LOST_AUTHORITY
from agentops.engine.fold import fold
from agentops.engine.state import ZERO, Drawn, Limits, RunState
from runs.api.words import (
    CALL_STATES,
    DECISIONS,
    EVENT_KINDS,
    LIMITS_REACHED,
    STATUS_REASONS,
    STEP_STATES,
)
from runs.histories import load_history
from runs.projection import REVIEW_CAPACITY, Projection, project
from tests.replay.test_histories import HISTORIES


def projections() -> Iterator[Projection]:
    """Yield what every event of every recorded history changes."""
    for path in HISTORIES:
        state: RunState | None = None
        for event in load_history(path.read_text()):
            state, projection = fold(state, event), Projection()
            project(projection, event, state)
            yield projection


def test_steps_and_calls_show_in_every_word_of_theirs_and_in_no_other() -> None:
    made = list(projections())
    calls = [call for projection in made for call in projection.calls.values()]
    assert {row.state for each in made for row in each.steps.values()} == set(STEP_STATES)
    assert {call.state for call in calls} == set(CALL_STATES)
    assert {call.decision for call in calls} - {None} == set(DECISIONS)


def test_a_stream_holds_every_kind_of_event_that_there_is() -> None:
    constants = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    assert {constant for constant in constants if "." in constant} == set(EVENT_KINDS)


def test_every_reason_of_an_ending_is_listed() -> None:
    tree = ast.walk(ast.parse(inspect.getsource(decide)))
    calls = [node for node in tree if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    reasons = [call.args[1] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Finish"]
    given = {reason.value for reason in reasons if isinstance(reason, ast.Constant)}
    # The one that says why a run has not begun yet is no ending.
    assert {*given, *LOST_AUTHORITY, REVIEW_CAPACITY} - {""} == set(STATUS_REASONS)


def test_every_limit_that_can_be_reached_is_listed() -> None:
    shared = [f"shared_{unit}" for unit in Drawn(0, 0, ZERO).units]
    assert set(LIMITS_REACHED) == {*Limits._fields, *shared, "price"}


@pytest.mark.parametrize(
    ("schema", "member", "words"),
    [
        ("Run", "status_reason", STATUS_REASONS),
        ("RunDetail", "status_reason", STATUS_REASONS),
        ("RunDetail", "status_detail", LIMITS_REACHED),
        ("Step", "state", STEP_STATES),
        ("ToolCall", "state", CALL_STATES),
        ("ToolCall", "decision", DECISIONS),
        ("Event", "kind", EVENT_KINDS),
        ("TraceItem", "kind", EVENT_KINDS),
    ],
)
def test_the_document_lists_them(schema: str, member: str, words: tuple[str, ...]) -> None:
    declared = read_document()["components"]["schemas"][schema]["properties"][member]
    assert set(listed(declared)) - {""} == set(words)


def listed(schema: dict[str, Any]) -> list[str]:  # Any: JSON Schema
    """Return the words that a schema admits; raises KeyError where it admits any text."""
    if "$ref" in schema:
        return listed(read_document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    parts = schema.get("oneOf") or schema.get("allOf")
    return [word for part in parts for word in listed(part)] if parts else schema["enum"]
