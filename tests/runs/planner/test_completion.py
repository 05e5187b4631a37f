"""Chat Completions in every shape: answer, refusal, half an answer, nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.planner.answers import PlannerAnswer, PlannerFailure, Usage
from runs.planner.completion import read_completion
from tests.runs.planner.provider import call, completion
from tests.runs.planner.questions import answered, failed


def read(document: object) -> PlannerAnswer | PlannerFailure:
    return read_completion(json.dumps(document).encode(), latency_ms=12)


def said(**message: Any) -> PlannerAnswer:
    return answered(read(completion(message=message)))


def test_a_text_answer() -> None:
    assert read(completion()) == PlannerAnswer(
        text="Hello.",
        thought="",
        calls=(),
        usage=Usage(100, 20, 0, 0, 0),
        finish_reason="stop",
        model="model-1-2026",
        response_id="chatcmpl-1",
        latency_ms=12,
        refusal=None,
        problem=None,
    )


def test_labels_that_are_missing_or_of_another_type_are_empty() -> None:
    answer = answered(read(completion(id=7, model=None, choice={"finish_reason": 3})))
    assert (answer.response_id, answer.model, answer.finish_reason) == ("", "", "")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_the_thought_is_kept_under_either_name(field: str) -> None:
    assert said(**{field: "They want a refund."}).thought == "They want a refund."


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "image_url"}, {"type": "text", "text": "lo"}, "x"]
    assert said(content=parts).text == "Hello"


def test_characters_that_cannot_be_stored_are_replaced() -> None:
    answer = said(content="a\x00b\ud800", reasoning="\udfff")
    assert (answer.text, answer.thought) == ("a\ufffdb\ufffd", "\ufffd")
    answer.text.encode()


@pytest.mark.parametrize(
    "message",
    [
        {"content": None, "refusal": "I cannot help with that."},
        {"content": [{"type": "refusal", "refusal": "I cannot help with that."}]},
    ],
)
def test_a_refusal_is_an_answer(message: dict[str, Any]) -> None:
    answer = said(**message)
    assert (answer.refusal, answer.text) == ("I cannot help with that.", "")


def test_a_filtered_turn_without_words_says_that_it_was_filtered() -> None:
    filtered = completion(message={"content": None}, choice={"finish_reason": "content_filter"})
    answer = answered(read(filtered))
    assert answer.finish_reason == "content_filter"
    assert answer.refusal == "The provider's content filter withheld the answer."


def test_a_turn_filtered_midway_keeps_its_text_and_loses_its_last_call() -> None:
    message = {"content": "So far", "tool_calls": [call()]}
    answer = answered(read(completion(message=message, choice={"finish_reason": "content_filter"})))
    assert (answer.text, answer.refusal) == ("So far", None)
    assert [proposed.problem for proposed in answer.calls] == ["truncated"]


def test_a_text_cut_at_the_limit_says_so() -> None:
    answer = answered(read(completion(choice={"finish_reason": "length"})))
    assert (answer.text, answer.finish_reason) == ("Hello.", "length")


@pytest.mark.parametrize("whole", [True, False])
def test_the_last_call_of_a_turn_cut_at_the_limit_is_truncated_even_if_it_parses(whole: bool) -> None:
    last = call('{"amount": 1}' if whole else '{"amount": 1', id="b")
    document = completion(message={"tool_calls": [call(id="a"), last]}, choice={"finish_reason": "length"})
    first, second = answered(read(document)).calls
    assert (first.problem, first.arguments) == (None, {"order_id": "W1"})
    assert (second.problem, second.arguments) == ("truncated", None)
    assert second.raw_arguments.startswith('{"amount": 1')


@pytest.mark.parametrize("content", [None, "", " \n", [], {}, 7])
@pytest.mark.parametrize("calls", [None, []])
def test_an_empty_answer_is_worth_another_try(content: object, calls: object) -> None:
    message = {"content": content, "tool_calls": calls, "reasoning": "Hm."}
    failure = failed(read(completion(message=message)))
    assert (failure.code, failure.retryable, failure.charge) == ("empty_answer", True, "estimated")
    assert failure.usage == Usage(100, 20, 0, 0, 0)


def test_an_answer_that_never_began_before_the_limit_is_not() -> None:
    document = completion(message={"content": ""}, choice={"finish_reason": "length"})
    failure = failed(read(document))
    assert (failure.code, failure.retryable) == ("empty_answer", False)
    assert failure.usage == Usage(100, 20, 0, 0, 0)


def test_half_an_answer_of_a_model_that_broke_off_is_none() -> None:
    failure = failed(read(completion(choice={"finish_reason": "error"})))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_unavailable", True, "estimated")


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        "text",
        [],
        {},
        {"choices": None},
        {"choices": {}},
        completion(choices=[]),
        completion(choices=[None]),
        completion(choices=["stop"]),
        completion(choices=[{}]),
        completion(choices=[{"message": None}]),
        completion(choices=[{"message": "Hello."}]),
        completion(message={"tool_calls": {"name": "get_order"}}),
        completion(message={"tool_calls": "get_order"}),
        {"error": {"code": "odd"}},
        {"error": {"code": 7}},
        {"error": "odd"},
    ],
)
def test_a_document_that_is_no_completion(document: object) -> None:
    failure = failed(read(document))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_invalid_answer", True, "estimated")


def test_what_a_useless_turn_used_is_reported() -> None:
    assert failed(read(completion(choices=[]))).usage == Usage(100, 20, 0, 0, 0)


@pytest.mark.parametrize(
    ("status", "code", "charge"),
    [
        (401, "planner_unauthorised", "none"),
        (429, "planner_rate_limited", "none"),
        (502, "planner_unavailable", "estimated"),
    ],
)
def test_an_error_under_status_200_counts_as_that_error(status: int, code: str, charge: str) -> None:
    failure = failed(read({"error": {"code": status, "message": "secret"}}))
    assert (failure.code, failure.charge, failure.detail) == (code, charge, f"HTTP {status}")


def test_64_calls_are_kept_and_more_are_a_problem() -> None:
    calls = [call(id=f"c{number}") for number in range(70)]
    answer = answered(read(completion(message={"tool_calls": calls})))
    assert [proposed.provider_call_id for proposed in answer.calls] == [f"c{n}" for n in range(64)]
    assert answer.problem == "too_many_calls"
    exactly = answered(read(completion(message={"tool_calls": calls[:64]})))
    assert (len(exactly.calls), exactly.problem) == (64, None)


def test_parallel_calls_keep_their_order() -> None:
    calls = [call(id="a", name="cancel"), call(id="b", name="refund")]
    assert [proposed.name for proposed in said(tool_calls=calls).calls] == ["cancel", "refund"]


def test_no_output_tokens_for_an_answer_is_no_usage() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 0}
    assert answered(read(completion(usage=usage))).usage is None


@pytest.mark.parametrize("usage", [None, {}, "many", {"prompt_tokens": -1, "completion_tokens": 5}])
def test_an_answer_without_usage_is_an_answer(usage: object) -> None:
    assert answered(read(completion(usage=usage))).usage is None


KEYS = st.sampled_from(
    [
        *("choices", "message", "content", "tool_calls", "function", "usage", "finish_reason", "name"),
        *("arguments", "id", "type", "text", "refusal", "reasoning", "error", "code", "prompt_tokens"),
        *("completion_tokens", "prompt_tokens_details"),
    ]
)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(ANY_JSON, st.sampled_from(["document", "choices", "message", "calls", "call", "usage"]))
def test_no_json_makes_reading_raise(part: Any, place: str) -> None:
    document = {
        "document": part,
        "choices": completion(choices=part),
        "message": completion(choices=[{"message": part}]),
        "calls": completion(message={"tool_calls": part}),
        "call": completion(message={"tool_calls": [part, call()]}),
        "usage": completion(usage=part),
    }[place]
    outcome = read(document)
    assert isinstance(outcome, PlannerAnswer | PlannerFailure)
    if isinstance(outcome, PlannerAnswer):
        assert outcome.text.strip() or outcome.calls or outcome.refusal
        for proposed in outcome.calls:
            assert (proposed.arguments is None) == (proposed.problem is not None)
