"""The planner without a model."""

from __future__ import annotations

import time

import pytest

from agentops.engine import events as e
from runs.planner.answers import PlannerAnswer
from runs.planner.messages import Message, encode_json
from runs.planner.null import NullPlanner
from runs.window import Written, render
from tests.runs.planner.questions import answered, question


def shown(answer: PlannerAnswer) -> list[Message]:
    """Return the turn as the run's window shows it to the planner."""
    calls = [
        {"call": n, "tool": call.name, "arguments": call.arguments} for n, call in enumerate(answer.calls, 1)
    ]
    written = Written(e.STEP_DECIDED, {"calls": calls}, {"text": answer.text, "calls": calls})
    return [each.message for each in render(written, 1)]


def test_it_proposes_noop_until_its_last_step_and_then_answers() -> None:
    planner = NullPlanner(steps=3)
    messages: list[Message] = [{"role": "user", "content": "Go."}]
    proposed = []
    for _ in range(3):
        answer = answered(planner.ask(question(messages=tuple(messages))))
        (only,) = answer.calls
        proposed.append(only)
        messages += shown(answer)
    last = answered(planner.ask(question(messages=tuple(messages))))
    assert (last.text, last.calls, last.finish_reason) == ("Done.", (), "stop")
    assert {only.name for only in proposed} == {"noop"}
    # Differing arguments and ids: nothing looks like a loop.
    assert len({only.raw_arguments for only in proposed}) == 3
    assert len({only.provider_call_id for only in proposed}) == 3
    assert all(150 <= len(only.raw_arguments) <= 250 for only in proposed)
    assert all(only.arguments is not None and only.problem is None for only in proposed)


def test_a_window_that_drops_earlier_turns_does_not_set_it_back() -> None:
    planner = NullPlanner(steps=500)
    seventh = answered(planner.ask(question(messages=({"role": "assistant", "content": "x"},) * 7)))
    window = ({"role": "user", "content": "Go."}, *shown(seventh))
    assert answered(planner.ask(question(messages=window))).calls[0].arguments == {
        "turn": 8,
        "padding": "x" * 170,
    }


def test_every_turn_reports_usage() -> None:
    usage = answered(NullPlanner().ask(question())).usage
    assert usage is not None
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0


def test_it_sleeps_its_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answer = answered(NullPlanner(latency_s=0.5).ask(question()))
    NullPlanner().ask(question())
    assert slept == [0.5]
    assert answer.latency_ms == 500


def test_its_turns_can_be_sent() -> None:
    answer = answered(NullPlanner().ask(question()))
    assert encode_json(shown(answer))
