from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agentops.console import words

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (3900, "1 h 5 min"),
     (86_399, "23 h 59 min"), (86_400, "1 d"), (-61, "1 min")],
)  # fmt: skip
def test_a_span_has_its_two_largest_useful_units(seconds: int, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("ago_s", "said"),
    [(0, "just now"), (4, "just now"), (-4, "just now"), (90, "1 min ago"), (-90, "in 1 min"),
     (29 * 86_400, "29 d ago"), (31 * 86_400, "2026-10-22")],
)  # fmt: skip
def test_a_moment_is_told_relative_to_now(ago_s: int, said: str) -> None:
    assert words.ago(NOW - timedelta(seconds=ago_s), NOW) == said


@pytest.mark.parametrize(
    ("seconds", "shown"), [(598, "9:58"), (59.9, "0:59"), (3723, "1:02:03"), (0, "0:00"), (-5, "0:00")]
)
def test_a_clock_runs_down_and_stops_at_zero(seconds: float, shown: str) -> None:
    assert words.clock(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("window", "said"), [("hour", "this hour"), ("day", "today"), ("month", "this month")]
)
def test_a_budgets_window_is_named_as_people_do(window: str, said: str) -> None:
    assert words.this_window(window) == said


@pytest.mark.parametrize(
    ("amount", "said"),
    [("0", "0.00 USD"), ("129.9", "129.90 USD"), ("1240", "1,240.00 USD"), ("0.0021", "0.0021 USD"),
     ("0.000012", "0.000012 USD"), ("1E-8", "0.00000001 USD"), ("0E-8", "0.00 USD"), ("-0.5", "-0.5000 USD")],
)  # fmt: skip
def test_small_costs_keep_the_digits_that_tell_them_apart(amount: str, said: str) -> None:
    assert words.money(Decimal(amount)) == said


def test_an_amount_without_a_currency_has_no_trailing_space() -> None:
    assert words.money(Decimal("5"), "") == "5.00"


@pytest.mark.parametrize(("ms", "said"), [(0, "0 ms"), (999, "999 ms"), (1_240, "1.2 s"), (61_000, "1 min")])
def test_latency_is_in_the_unit_that_fits(ms: int, said: str) -> None:
    assert words.latency(ms) == said


@pytest.mark.parametrize(
    ("number", "said"), [(999, "999"), (35_000, "35 k"), (1_234_567, "1.23 M"), (0, "0")]
)
def test_large_numbers_are_told_to_three_digits(number: int, said: str) -> None:
    assert words.compact(number) == said


def test_a_number_agrees_with_its_noun() -> None:
    assert (words.count(1, "run"), words.count(2_000, "run")) == ("1 run", "2,000 runs")
    assert words.count(2, "agent identity", "agent identities") == "2 agent identities"


@pytest.mark.parametrize(
    ("word", "tone"),
    [("waiting", "waiting"), ("requires_action", "waiting"), ("in_progress", "running"), ("approved", "done"),
     ("halted", "halted"), ("failed", "broken"), ("forced_open", "broken"), ("anything else", "plain")],
)  # fmt: skip
def test_every_state_has_one_tone(word: str, tone: str) -> None:
    assert words.tone_of(word) == tone


def test_no_word_has_two_tones() -> None:
    told = [word for listed in words._TONES.values() for word in listed.split()]
    assert len(told) == len(set(told))


def test_a_code_is_told_as_a_person_would_write_it() -> None:
    assert words.plain_word("requires_action") == "requires action"
    assert words.plain_word("veto_s") == "seconds held for a veto"
