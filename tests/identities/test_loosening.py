"""Which changes of a plan allow more than before."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from identities.changes.loosening import loosens

SOON, LATER = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
PER_DAY = {"per": "day", "count": 3, "amount": "50.00"}


@pytest.mark.parametrize(
    ("name", "tight", "loose"),
    [
        ("expires_at", SOON, None),
        ("valid_until", SOON, LATER),
        ("max_usd", Decimal("2.00"), Decimal("2.01")),
        ("max_steps", 5, None),
        ("veto_s", 600, 599),
        ("veto_s", 600, 0),
        ("confirmation", True, False),
        ("most", 20, 21),
        ("most", 20, None),
        ("within_s", 600, 599),
        ("pause_s", 600, 599),
        ("second_percent", 10, 9),
        ("second_below", None, "50"),
        ("second_below", "100", "50"),
        ("before_effect", True, False),
        ("max_extensions", 0, 1),
        ("extension_percent", 10, 11),
        ("redact", ["card", "email"], ["email"]),
        ("redact", ["card"], []),
        ("memory", "", "ask"),
        ("memory", "ask", "auto"),
        ("memory", "auto", "all"),
        ("max_seconds", 30, 90),
        ("decision", "DENY", "REQUIRE_APPROVAL"),
        ("decision", "REQUIRE_APPROVAL", "ALLOW_WITH_CAPS"),
        ("decision", "ALLOW_WITH_CAPS", "ALLOW"),
        ("over_caps", "DENY", "REQUIRE_APPROVAL"),
        ("caps", [PER_DAY], []),
        ("caps", [PER_DAY], [{"per": "day", "count": 3}]),
        ("caps", [PER_DAY], [{**PER_DAY, "amount": "50.01"}]),
        ("caps", [PER_DAY], [{**PER_DAY, "count": 4}]),
        ("caps", [{**PER_DAY, "per": "call"}, PER_DAY], [PER_DAY]),
    ],
)
def test_a_guardrail_further_off_loosens_and_a_nearer_one_does_not(
    name: str, tight: object, loose: object
) -> None:
    assert loosens(name, tight, loose)
    assert not loosens(name, loose, tight)


def test_no_end_before_is_no_guardrail_to_lose() -> None:
    assert not loosens("expires_at", None, SOON)
    assert not loosens("caps", None, [PER_DAY])


def test_a_window_for_a_veto_that_there_was_not_loosens_nothing() -> None:
    assert not loosens("veto_s", None, 600)
    assert not loosens("veto_s", 0, 0)


def test_other_words_loosen_nothing() -> None:
    assert not loosens("name", "Desk", None)
