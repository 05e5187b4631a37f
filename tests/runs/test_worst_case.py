"""The worst case by hand, against the caps that really decide, and as a property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.worst_case import ToolTerms, assess_worst_case, ceilings_of, reach_of
from tools.authority import Ask
from tools.caps import PERIODS, Cap, claim_caps, exceeded_per_call, exceeded_windows, parse_caps

REFUND = ToolTerms("refund", "reversible", "ALLOW_WITH_CAPS", moves_money=True, currency="USD")

counts = st.none() | st.integers(1, 50)
amounts = st.none() | st.decimals(1, 500, places=2)
caps = st.lists(
    st.builds(Cap, st.sampled_from(PERIODS), counts, amounts).map(
        lambda cap: replace(cap, count=None) if cap.per == "call" else cap
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    ("rows", "calls", "amount"),
    [
        ([], (1, None, None, None, None), (None, None, None, None, None)),
        ([{"per": "call", "amount": "50"}], (1, None, None, None, None), ("50", None, None, None, None)),
        (
            [{"per": "call", "amount": "50"}, {"per": "day", "count": 3}],
            (1, None, 3, 3, 93),  # 31 days to a month
            ("50", None, "150", "150", "4650"),
        ),
        ([{"per": "hour", "count": 2}], (1, None, 2, 48, 1488), (None,) * 5),
        ([{"per": "month", "amount": "90"}], (1, None, None, None, None), ("90", None, "90", "90", "90")),
        (
            [{"per": "day", "amount": "100"}, {"per": "run", "count": 2}, {"per": "call", "amount": "30"}],
            (1, 2, None, None, None),
            ("30", "60", "100", "100", "3100"),
        ),
        (
            [{"per": "hour", "amount": "10"}, {"per": "day", "amount": "500"}],
            (1, None, None, None, None),
            ("10", None, "10", "240", "7440"),
        ),
        ([{"per": "run", "amount": "20"}], (1, None, None, None, None), ("20", "20", None, None, None)),
    ],
)
def test_by_hand(rows: list[dict[str, Any]], calls: tuple[Any, ...], amount: tuple[Any, ...]) -> None:
    found = ceilings_of(parse_caps(rows))
    assert tuple(found.calls[per] for per in PERIODS) == calls
    wanted = tuple(None if each is None else Decimal(each) for each in amount)
    assert tuple(found.amount[per] for per in PERIODS) == wanted


PER_DAY = parse_caps([{"per": "day", "amount": "100"}])


@pytest.mark.parametrize(
    ("changes", "asks", "alone", "at_most"),
    [
        ({"caps": PER_DAY}, "nobody", 100, 100),
        ({"caps": PER_DAY, "over_caps": "REQUIRE_APPROVAL"}, "beyond_caps", 100, None),
        ({"decision": "REQUIRE_APPROVAL", "caps": PER_DAY}, "every_time", 0, 100),
        ({"decision": "REQUIRE_APPROVAL"}, "every_time", 0, None),
        ({"effect": "irreversible", "caps": PER_DAY}, "every_time", 0, 100),
        ({"effect": "irreversible", "caps": PER_DAY, "waived": True}, "nobody", 100, 100),
        ({"decision": "ALLOW"}, "nobody", None, None),
    ],
)
def test_who_is_asked(changes: dict[str, Any], asks: str, alone: int | None, at_most: int | None) -> None:
    reach = reach_of(replace(REFUND, **changes))
    assert (reach.asks, reach.alone.amount["day"], reach.at_most.amount["day"]) == (asks, alone, at_most)


def test_everything_at_once() -> None:
    euros = replace(
        REFUND, tool="pay", currency="EUR", decision="REQUIRE_APPROVAL", caps=PER_DAY, secret="bank"
    )
    tools = [replace(REFUND, caps=PER_DAY), replace(REFUND, caps=PER_DAY, secret="shop"), euros]
    budgets = [("day", Decimal(20)), ("hour", Decimal(1)), ("month", Decimal(90))]
    radius = assess_worst_case(tools, budgets, Decimal(2))
    totals = [(each.currency, each.alone, each.at_most) for each in radius.per_day]
    assert totals == [("EUR", Decimal(0), Decimal(100)), ("USD", Decimal(200), Decimal(200))]
    assert radius.models == {"run": 2, "hour": 1, "day": 20, "month": 90}
    assert radius.secrets == ["bank", "shop"]
    open_ended = assess_worst_case([*tools, replace(REFUND, decision="ALLOW")], [], None)
    assert open_ended.per_day[1].at_most is None
    assert set(open_ended.models.values()) == {None}


@given(caps, st.data())
def test_a_higher_cap_never_lowers_the_worst_case(found: list[Cap], data: st.DataObject) -> None:
    raised = [
        replace(
            cap,
            count=cap.count and data.draw(st.none() | st.integers(cap.count, 99)),
            amount=cap.amount and data.draw(st.none() | st.decimals(cap.amount, 999, places=2)),
        )
        for cap in found
    ]
    before, after = ceilings_of(found), ceilings_of(raised)
    for per in PERIODS:
        assert is_no_lower(after.calls[per], before.calls[per])
        assert is_no_lower(after.amount[per], before.amount[per])


def is_no_lower(high: Decimal | int | None, low: Decimal | int | None) -> bool:
    return high is None or (low is not None and high >= low)


@given(caps, st.lists(st.tuples(st.integers(0, 3), st.decimals(0, 300, places=2)), max_size=30))
def test_no_call_gets_past_it(found: list[Cap], calls: list[tuple[int, Decimal]]) -> None:
    """Caps as they decide calls, in two runs and two hours of a day, never let more through."""
    used: dict[str, tuple[int, Decimal]] = {}
    let_through: list[Decimal] = []
    for place, amount in calls:
        run, hour = divmod(place, 2)
        ask = Ask(UUID(int=run), "t", "", "reversible", amount, datetime(2026, 11, 22, 12 + hour, tzinfo=UTC))
        if exceeded_per_call(found, amount) or exceeded_windows(found, ask, used):
            continue
        for claim in claim_caps(found, ask):
            taken, sum_ = used.get(claim.window, (0, Decimal(0)))
            used[claim.window] = (taken + 1, sum_ + amount)
        let_through.append(amount)
    ceilings = ceilings_of(found)
    most, money = ceilings.calls["day"], ceilings.amount["day"]
    assert most is None or len(let_through) <= most
    assert money is None or sum(let_through) <= money
    single = ceilings.amount["call"]
    assert single is None or all(amount <= single for amount in let_through)
