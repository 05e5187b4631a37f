"""What providers answer when they are asked for a vector: read with suspicion."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.planner.answers import Embedded, PlannerFailure
from runs.planner.embeddings import MOST_NUMBERS, Embedder, EmbeddingRequest, bound_tokens, read_embedding
from tests.runs.planner.provider import embedding

HERE = "http://127.0.0.1:9/v1"


def read(**changes: Any) -> Embedded | PlannerFailure:
    return read_embedding(json.dumps(embedding("A dog.", **changes)).encode())


def of(*numbers: object) -> Embedded | PlannerFailure:
    return read(data=[{"embedding": list(numbers)}])


def test_a_vector_has_length_one() -> None:
    answer = of(3, 4.0)
    assert isinstance(answer, Embedded)
    assert list(answer.vector) == pytest.approx([0.6, 0.8])
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (1, 0)


@pytest.mark.parametrize(
    "numbers",
    [
        (), (0, 0), ("1", "2"), (True, False), (None,), ([1.0],), (float("nan"), 1.0), (float("inf"), 1.0), (1e-320,),
        (10**400,), tuple([1.0] * (MOST_NUMBERS + 1)),
    ],
)  # fmt: skip
def test_what_has_no_direction_is_none(numbers: tuple[object, ...]) -> None:
    answer = of(*numbers)
    assert isinstance(answer, PlannerFailure)
    assert (answer.code, answer.charge, answer.usage is not None) == (
        "planner_invalid_answer",
        "estimated",
        True,
    )


@pytest.mark.parametrize(
    "changes",
    [{"data": []}, {"data": None}, {"data": [1]}, {"data": [{"embedding": "AAAA"}]}, {"data": [{}, {}]}],
)
def test_what_holds_no_vector_is_no_answer(changes: dict[str, Any]) -> None:
    assert isinstance(read(**changes), PlannerFailure)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"<html>", b"[" * 100_000])
def test_what_is_no_answer_at_all(body: bytes) -> None:
    assert isinstance(read_embedding(body), PlannerFailure)


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": 0}, {"prompt_tokens": -1}, [], {"prompt_tokens": "9"}]
)
def test_usage_that_cannot_be_believed_is_none(usage: object) -> None:
    answer = read(usage=usage)
    assert isinstance(answer, Embedded)
    assert answer.usage is None


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_any_numbers_make_a_vector_that_single_precision_holds_or_none(numbers: list[float]) -> None:
    answer = of(*numbers)
    if isinstance(answer, Embedded):
        assert math.hypot(*answer.vector) == pytest.approx(1)
        assert all(number == 0 or 1e-31 < abs(number) <= 1 for number in answer.vector)


def test_a_text_that_cannot_be_sent_is_not() -> None:
    asked = EmbeddingRequest("m", "\ud800", 1.0, {})
    answer = Embedder(base_url=HERE, api_key="k").ask(asked)
    assert isinstance(answer, PlannerFailure)
    assert (answer.code, answer.charge) == ("planner_request_invalid", "none")


@pytest.mark.parametrize("settings", [{"api_key": ""}, {"api_key": "a b"}, {"base_url": "ftp://x"}])
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"planner's base URL|API key"):
        Embedder(api_key=settings.get("api_key", "k"), base_url=settings.get("base_url", HERE))


@given(st.text())
def test_no_count_of_tokens_exceeds_the_bound(text: str) -> None:
    safe = text.encode(errors="ignore").decode()
    assert bound_tokens(safe) >= len(safe.encode())
