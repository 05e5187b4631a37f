"""The rules themselves; `tests/tools/test_breaker.py` runs one table on local and shared breakers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine.breaker import BreakerSettings, BreakerState, admit, record, tally

SETTINGS = BreakerSettings()
START_MS = 1_790_000_000_000


@pytest.mark.parametrize(
    "changes",
    [
        {"consecutive_failures": 0},
        {"minimum_calls": 0},
        {"failure_rate": 0.0},
        {"failure_rate": 1.01},
        {"failure_rate": float("nan")},
        {"window_s": 0.011},
        {"open_s": 0.0},
        {"open_s": float("nan")},
        {"open_cap_s": float("inf")},
        {"open_s": 60.0, "open_cap_s": 30.0},
        {"probe_lease_s": -1.0},
    ],
)
def test_settings_that_make_no_breaker_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a breaker needs"):
        BreakerSettings(**changes)  # type: ignore[arg-type]  # the two counts are whole numbers here


def test_a_new_breaker_admits() -> None:
    state, admission = admit(BreakerState(), SETTINGS, START_MS, "t")
    assert (state, admission.allowed, admission.state) == (BreakerState(), True, "closed")
    assert admission.probe_token is None


def test_a_refusal_names_the_moment_of_the_next_probe() -> None:
    opened = BreakerState(mode="open", trips=1, retry_at_ms=START_MS + 30_000)
    _, admission = admit(opened, SETTINGS, START_MS, "t")
    assert admission.retry_at == datetime.fromtimestamp((START_MS + 30_000) / 1000, UTC)


def test_open_times_double_up_to_the_cap() -> None:
    assert [SETTINGS.open_ms(trips) // 1000 for trips in (1, 2, 3, 4, 5, 6, 2000)] == [
        30, 60, 120, 240, 300, 300, 300,
    ]  # fmt: skip


def test_the_window_forgets() -> None:
    state = BreakerState()
    for second in range(0, 120, 5):
        state, _ = record(state, SETTINGS, START_MS + second * 1000, True, None)
    assert tally(state, SETTINGS, START_MS + 119_000) == (12, 0)
    assert len(state.buckets) <= 12


events = st.lists(
    st.tuples(st.integers(0, 40_000), st.sampled_from(["admit", "ok", "failed", "not_asked"]), st.booleans()),
    max_size=80,
)


@given(events)
def test_at_most_one_probe_holds_the_lease(steps: list[tuple[int, str, bool]]) -> None:
    state, now_ms, lease_until_ms, token = BreakerState(), START_MS, 0, ""
    for number, (pause_ms, verb, with_token) in enumerate(steps):
        now_ms += pause_ms
        if verb == "admit":
            state, admission = admit(state, SETTINGS, now_ms, f"t{number}")
            if admission.probe_token:
                assert now_ms >= lease_until_ms, "a second probe beside a living one"
                token, lease_until_ms = admission.probe_token, now_ms + 15_000
        else:
            ok = None if verb == "not_asked" else verb == "ok"
            state, transition = record(state, SETTINGS, now_ms, ok, token if with_token else None)
            if with_token and (transition or ok is None):
                lease_until_ms = 0


@given(events)
def test_an_open_breaker_always_admits_again(steps: list[tuple[int, str, bool]]) -> None:
    state, now_ms = BreakerState(), START_MS
    for number, (pause_ms, verb, _) in enumerate(steps):
        now_ms += pause_ms
        if verb == "admit":
            state, _admission = admit(state, SETTINGS, now_ms, f"t{number}")
        else:
            state, _transition = record(state, SETTINGS, now_ms, verb == "ok", state.probe_token or None)
    _, admission = admit(state, SETTINGS, now_ms + 300_000, "last")
    assert admission.allowed
