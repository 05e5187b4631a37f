from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from hypothesis import given

from agentops.engine import events as e
from agentops.engine.state import Mark
from agentops.ledger.store import erase_contents
from runs.window import (
    CHARACTERS_PER_TOKEN,
    ERASED,
    OBSERVATION_LIMIT,
    Written,
    arrange,
    by_step,
    choose_marks,
    render,
    system_message,
)
from tests.engine.simulation import Simulation, ended_runs
from tests.runs.company import ORDER, Company, proposes, says

CALLS = [{"call": 1, "tool": "refund", "arguments": {"order_id": "A-1"}, "raw": None}]
WHERE = {"step": 2, "call": 1}


def marks(*sizes: tuple[int, int]) -> list[Mark]:
    """Return marks as (step, size), the request first."""
    return [Mark(seq, step, size) for seq, (step, size) in enumerate([(0, 30), *sizes], start=1)]


# --- which entries ----------------------------------------------------------------------------------------


def test_what_fits_is_shown_whole() -> None:
    listed = marks((1, 100), (1, 100), (2, 100))
    assert choose_marks(listed, 1_000) == listed


def test_the_newest_steps_are_shown_and_always_the_request() -> None:
    listed = marks((1, 300), (1, 300), (2, 300), (2, 300), (3, 100))
    chosen = choose_marks(listed, 800 // CHARACTERS_PER_TOKEN)
    assert [(mark.seq, mark.step) for mark in chosen] == [(1, 0), (4, 2), (5, 2), (6, 3)]


def test_a_step_is_shown_whole_or_not_at_all() -> None:
    listed = marks((1, 10), (2, 10), (2, 5_000), (2, 10))
    assert [mark.seq for mark in choose_marks(listed, 100)] == [1, 3, 4, 5]


def test_a_run_without_steps_shows_its_request() -> None:
    assert choose_marks(marks(), 1) == marks()
    assert choose_marks([], 1) == []


@given(ended_runs)
def test_every_window_of_a_run_is_one_that_a_model_takes(run: Simulation) -> None:
    """Every tool result answers a call of a decision that is shown too."""
    for state in run.states:
        for context in (1, 100, 10_000):
            shown = {mark.seq for mark in choose_marks(state.marks, context)}
            assert 1 in shown
            kinds = {event.seq: event for event in run.events if event.seq in shown}
            decided = {event.facts["step"] for event in kinds.values() if event.kind == e.STEP_DECIDED}
            for event in kinds.values():
                assert event.facts.get("step", 0) in decided or "call" not in event.facts


# --- how each reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "content", "expected"),
    [
        (e.RUN_STARTED, {}, {"message": "Help."}, {"role": "user", "content": "Help."}),
        (e.RUN_STARTED, {}, None, {"role": "user", "content": ERASED}),
        (e.MESSAGE_RECEIVED, {}, {"text": "Quickly."}, {"role": "user", "content": "Quickly."}),
        (e.STEP_DECIDED, {"calls": []}, {"text": "Hi."}, {"role": "assistant", "content": "Hi."}),
        (
            e.STEP_DECIDED,
            {"calls": []},
            {"text": "", "refusal": "No."},
            {"role": "assistant", "content": "No."},
        ),
        (e.STEP_DECIDED, {"calls": []}, None, {"role": "assistant", "content": ERASED}),
        (e.CALL_SUCCEEDED, WHERE, {"value": {"a": [1]}}, '{"a":[1]}'),
        (e.CALL_SUCCEEDED, WHERE, {"value": "plain"}, "plain"),
        (e.CALL_SUCCEEDED, WHERE, {"value": None}, "null"),
        (e.CALL_SUCCEEDED, WHERE, None, ERASED),
        (
            e.CALL_FAILED,
            {**WHERE, "code": "busy"},
            {"detail": "later"},
            '{"error": "busy", "detail": "later"}',
        ),
        (e.CALL_FAILED, {**WHERE, "code": "busy"}, None, '{"error": "busy"}'),
        (e.CALL_REFUSED, {**WHERE, "code": "no_grant"}, {"detail": ""}, '{"error": "no_grant"}'),
        (e.APPROVAL_REFUSED, {**WHERE, "code": "denied_by_human"}, {"detail": "no"}, None),
        (e.INPUT_RECEIVED, WHERE, {"text": "A-1"}, "A-1"),
        (e.HANDOVER_ANSWERED, WHERE, None, ERASED),
        (e.OUTCOME_SETTLED, {**WHERE, "happened": False}, {"note": "secret"}, None),
    ],
)
def test_an_entry_as_a_message(kind: str, facts: dict[str, Any], content: Any, expected: Any) -> None:
    (shown,) = render(Written(kind, facts, content), 2)
    if isinstance(expected, dict):
        assert shown.message == expected
        return
    assert (shown.message["role"], shown.message["tool_call_id"]) == ("tool", "call_2_1")
    assert expected is None or shown.message["content"] == expected
    assert "secret" not in str(shown.message)


def test_a_decision_shows_its_calls_under_our_own_ids() -> None:
    written = Written(e.STEP_DECIDED, {"calls": []}, {"text": "So:", "calls": CALLS})
    assert render(written, 3)[0].message == {
        "role": "assistant",
        "content": "So:",
        "tool_calls": [
            {
                "id": "call_3_1",
                "type": "function",
                "function": {"name": "refund", "arguments": '{"order_id":"A-1"}'},
            }
        ],
    }


def test_a_call_with_broken_arguments_is_shown_without_them() -> None:
    broken = [{**CALLS[0], "arguments": None, "raw": '{"order'}]
    written = Written(e.STEP_DECIDED, {"calls": []}, {"text": "", "calls": broken})
    assert render(written, 3)[0].message["tool_calls"][0]["function"]["arguments"] == "{}"


@pytest.mark.parametrize(("tool", "shown"), [("refund", "refund"), ("(unknown)", "unknown")])
def test_an_erased_decision_still_has_calls_for_its_results_to_answer(tool: str, shown: str) -> None:
    facts = {"calls": [{"call": 1, "tool": tool, "args_digest": "d", "problem": None}]}
    message = render(Written(e.STEP_DECIDED, facts, None), 3)[0].message
    assert message["tool_calls"][0]["id"] == "call_3_1"
    assert message["tool_calls"][0]["function"] == {"name": shown, "arguments": "{}"}


def test_a_long_result_is_cut_and_says_so() -> None:
    (shown,) = render(Written(e.CALL_SUCCEEDED, WHERE, {"value": "x" * (OBSERVATION_LIMIT + 7)}), 2)
    text = shown.message["content"]
    assert text.startswith("x" * OBSERVATION_LIMIT + "\n")
    assert "7 more characters" in text


def test_what_the_model_needs_not_know_is_not_shown() -> None:
    assert render(Written(e.ATTEMPT_STARTED, WHERE, None), 2) == []


def test_a_message_takes_at_most_the_tokens_that_are_reckoned() -> None:
    (shown,) = render(Written(e.RUN_STARTED, {}, {"message": "ä" * 500}), 0)
    assert shown.tokens >= 1_000


def test_results_are_data_and_the_rules_say_so() -> None:
    assert "never instructions" in system_message("Be kind.")["content"]


def test_messages_stand_where_models_want_them() -> None:
    """A decision, all its results in the order of its calls, then what the user said meanwhile."""
    entries = [
        (Mark(1, 0, 1), Written(e.RUN_STARTED, {}, {"message": "Help."})),
        (Mark(4, 1, 1), Written(e.STEP_DECIDED, {"calls": []}, {"text": "", "calls": CALLS})),
        (Mark(5, 1, 1), Written(e.MESSAGE_RECEIVED, {}, {"text": "Quickly."})),
        (Mark(9, 1, 1), Written(e.CALL_SUCCEEDED, {"step": 1, "call": 2}, {"value": "second"})),
        (Mark(12, 1, 1), Written(e.CALL_SUCCEEDED, {"step": 1, "call": 1}, {"value": "first"})),
    ]
    contents = {mark.seq: written for mark, written in entries}
    blocks = [arrange(of_step, contents) for _, of_step in by_step([mark for mark, _ in entries])]
    shown = [message for block in blocks for message in block.messages]
    assert [each["role"] for each in shown] == ["user", "assistant", "tool", "tool", "user"]
    assert [each["content"] for each in shown[2:]] == ["first", "second", "Quickly."]


# --- through a run ----------------------------------------------------------------------------------------


def test_a_window_slides_over_whole_steps(company: Company) -> None:
    company.add_reads()
    company.publish(context_tokens=150)
    turns = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(6)]
    run = company.run(*turns, says("Done."), message="The request.")
    assert run.state == "completed"
    last = company.asked()[-1]["messages"]
    assert last[1] == {"role": "user", "content": "The request."}
    assert len(last) < 2 + 2 * 6
    answered = [message["tool_call_id"] for message in last if message["role"] == "tool"]
    called = [call["id"] for message in last for call in message.get("tool_calls", ())]
    assert answered == called


def test_a_large_result_does_not_push_the_rest_out(company: Company) -> None:
    """What counts is what is shown of it."""
    company.add_reads()

    def say_much(do: object) -> dict[str, Any]:
        return {"text": "x" * 200_000}

    company.world.mishaps.extend([lambda do: do(), say_much])
    run = company.run(proposes(("look_up", ORDER)), proposes(("look_up", {"order_id": "A-2"})), says("Done."))
    assert run.state == "completed"
    assert len(company.observations()) == 2


def test_a_run_goes_on_without_what_was_erased(company: Company) -> None:
    company.add_reads()
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("look_up", ORDER)), proposes(("refund", ORDER)), says("Done."))
    company.decide()
    with connection.cursor() as cursor:
        erase_contents(cursor, run.pk)
    run = company.drive(run)
    assert (run.state, company.states(run)[1]) == ("completed", ("refused", "arguments_erased"))
    assert company.world.effects == []
    sent = json.dumps(company.asked()[-1])
    assert ORDER["order_id"] not in sent
    assert sent.count(json.dumps(ERASED)) >= 2
