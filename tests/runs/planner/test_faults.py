"""The waits that providers ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.planner.faults import read_retry_after, status_failure

# Sunday, 22 November 2026, 12:00:00 GMT
NOW = 1795348800.0


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 20 "}, 20.0),
        ({"retry-after": "86400"}, 300.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 13:00:30 +0100"}, 30.0),
        ({"retry-after": "Sunday, 22-Nov-26 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "Mon, 23 Nov 2026 12:00:00 GMT"}, 300.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
    ],
)
def test_a_wait_is_read_in_each_of_its_forms(headers: dict[str, str], wait_s: float) -> None:
    assert read_retry_after(headers, NOW) == wait_s


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "nan", "inf", "-inf", "1e999", "Sun, 99 Nov 2026 12:00:30 GMT", "0x10"]
)
def test_nonsense_is_no_wait(text: str) -> None:
    assert read_retry_after({"retry-after": text}, NOW) is None


@given(st.text())
def test_no_header_raises_or_exceeds_the_bound(text: str) -> None:
    wait_s = read_retry_after({"retry-after": text}, NOW)
    assert wait_s is None or 0 <= wait_s <= 300


def test_what_must_not_be_repeated_has_no_wait() -> None:
    assert status_failure(400, {"retry-after": "7"}).retry_after_s is None


def test_only_known_codes_are_quoted() -> None:
    assert status_failure(429, {}, "insufficient_quota").detail == "HTTP 429 insufficient_quota"
    unknown: object
    for unknown in ("sk-secret", 7, None, ["insufficient_quota"], {}):
        assert status_failure(429, {}, unknown).detail == "HTTP 429"
