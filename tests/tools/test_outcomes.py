from __future__ import annotations

import pytest

from tools.outcomes import (
    DETAIL_LIMIT,
    Outcome,
    accept_code,
    bound_detail,
    breaker_verdict,
    doubt,
    fail,
    succeed,
)


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (succeed({}), True),
        (fail("http_404", "no such order"), True),
        (fail("http_409", "at work on it", retryable=True), True),
        (fail("http_425", "too early", retryable=True), None),
        (fail("http_429", "too many", retryable=True, retry_after_s=5), None),
        (fail("unreachable", "refused", retryable=True, counts_against_breaker=True), False),
        (doubt("irreversible", "timeout", "lost"), False),
        (doubt("read", "timeout", "lost"), False),
        (fail("saturated", "no thread"), None),
        (fail("bad_argument", "no place"), None),
    ],
)
def test_the_breaker_hears_of_the_tool_and_of_nothing_else(outcome: Outcome, verdict: bool | None) -> None:
    assert breaker_verdict(outcome) is verdict


def test_only_an_effect_can_be_in_doubt() -> None:
    assert doubt("read", "timeout", "").status == "failed"
    assert doubt("reversible", "timeout", "").status == "unknown"
    assert doubt("irreversible", "timeout", "").status == "unknown"


def test_a_strangers_text_becomes_one_bounded_line() -> None:
    assert bound_detail("two\nlines\tand \x1b[31mcolour\u202e") == "two lines and [31mcolour"
    assert len(bound_detail("long " * 1_000_000)) == DETAIL_LIMIT


@pytest.mark.parametrize("code", ["ok", "http_404", "a" * 64])
def test_a_code_is_kept(code: str) -> None:
    assert accept_code(code) == code


@pytest.mark.parametrize("text", ["", "Ann Lee's card 9212 was refused", "Refused", "9212", "a\n", "a" * 65])
def test_a_text_is_no_code(text: str) -> None:
    assert accept_code(text) == "tool_error"
