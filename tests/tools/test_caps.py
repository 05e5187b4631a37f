from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import F

from agentops.errors import ValidationFailed
from tests.factories import AgentFactory, ToolFactory
from tools.authority import Ask
from tools.caps import (
    Cap,
    CapClaim,
    Whose,
    claim_caps,
    exceeded_per_call,
    exceeded_windows,
    lift_limits,
    parse_caps,
    release_caps,
    reserve_caps,
    window_of,
)
from tools.models import CapUsage

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
RUN = UUID(int=1)
ASK = Ask(RUN, "refund", "f" * 64, "reversible", Decimal(3), NOW)


# --- reading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "cap"),
    [
        ({"per": "day", "count": 3}, Cap("day", 3, None)),
        ({"per": "run", "amount": "9.99"}, Cap("run", None, Decimal("9.99"))),
        ({"per": "call", "count": None, "amount": 5}, Cap("call", None, Decimal(5))),
    ],
)
def test_a_cap_is_read(row: dict[str, Any], cap: Cap) -> None:
    assert parse_caps([row]) == (cap,)


@pytest.mark.parametrize(
    "row", [{}, {"per": "year", "count": 1}, {"per": "day"}, {"count": 1}, {"per": "day", "count": 1, "x": 2}]
)
def test_what_is_not_understood_is_no_cap(row: dict[str, Any]) -> None:
    with pytest.raises(ValidationFailed):
        parse_caps([row])


@pytest.mark.parametrize(
    ("per", "window"),
    [
        ("run", f"run:{RUN}"),
        ("hour", "hour:2026-11-22T12"),
        ("day", "day:2026-11-22"),
        ("month", "month:2026-11"),
    ],
)
def test_a_call_falls_into_windows(per: str, window: str) -> None:
    assert window_of(per, RUN, NOW) == window


def test_two_caps_on_one_window_are_one_claim_with_the_tighter_limits() -> None:
    caps = [Cap("day", 5, None), Cap("day", 7, Decimal(20)), Cap("day", None, Decimal(30))]
    assert claim_caps(caps, ASK) == (CapClaim("day:2026-11-22", Decimal(3), 5, Decimal(20)),)
    assert claim_caps(caps, replace(ASK, held={"day:2026-11-22": Decimal(3)})) == ()


# --- reserving --------------------------------------------------------------------------------------------


@pytest.fixture
def owner(transactional_db: None) -> tuple[UUID, UUID]:
    """Return an identity and a tool."""
    agent = AgentFactory.create()
    return agent.pk, ToolFactory.create(team=agent.team).pk


def claim(
    window: str = "day:x", amount: str = "3", count: int | None = None, limit: str | None = None
) -> CapClaim:
    return CapClaim(window, Decimal(amount), count, None if limit is None else Decimal(limit))


def reserve(owner: tuple[UUID, UUID], *claims: CapClaim) -> bool:
    """Reserve in a transaction of its own, undone on a no, as the driver's guards are."""
    with transaction.atomic(), connection.cursor() as cursor:
        reserved = reserve_caps(cursor, *owner, claims)
        transaction.set_rollback(not reserved)
    return reserved


def release(owner: tuple[UUID, UUID], *held: tuple[str, str]) -> None:
    with connection.cursor() as cursor:
        release_caps(cursor, *owner, held)


def used() -> dict[str, tuple[int, Decimal]]:
    return {usage.window: (usage.used_count, usage.used_amount) for usage in CapUsage.objects.all()}


def test_reserving_stops_at_the_limit(owner: tuple[UUID, UUID]) -> None:
    assert [reserve(owner, claim(count=2)) for _ in range(3)] == [True, True, False]
    assert used() == {"day:x": (2, Decimal(6))}
    assert [reserve(owner, claim(limit="12")) for _ in range(3)] == [True, True, False]
    assert used() == {"day:x": (4, Decimal(12))}


def test_all_windows_or_none(owner: tuple[UUID, UUID]) -> None:
    assert reserve(owner, claim("day:x", count=1), claim("run:1", count=9))
    assert not reserve(owner, claim("day:x", count=1), claim("run:1", count=9))
    assert used() == {"day:x": (1, Decimal(3)), "run:1": (1, Decimal(3))}


def test_usage_is_per_identity_and_tool(owner: tuple[UUID, UUID]) -> None:
    other = AgentFactory.create().pk
    assert reserve(owner, claim(count=1))
    assert reserve((other, owner[1]), claim(count=1))
    assert not reserve(owner, claim(count=1))


def test_a_claim_without_limits_counts_in_a_full_window(owner: tuple[UUID, UUID]) -> None:
    assert reserve(owner, claim("day:x", "100", 1, "100"))
    lifted = lift_limits([claim("day:x", "20", 1, "100")])
    assert reserve(owner, *lifted)
    assert not reserve(owner, claim("day:x", "0", 2, "500"))
    release(owner, ("day:x", "20"))
    assert reserve(owner, claim("day:x", "0", 2, "100"))
    assert not reserve(owner, claim("day:x", "1", 9, "100"))


def test_what_is_given_back_can_be_taken_again(owner: tuple[UUID, UUID]) -> None:
    assert reserve(owner, claim("day:x", "3", 1), claim("run:1", "3", 1))
    release(owner, ("run:1", "3"), ("day:x", "3"))
    assert used() == {"day:x": (0, Decimal(0)), "run:1": (0, Decimal(0))}
    assert reserve(owner, claim("day:x", "3", 1), claim("run:1", "3", 1))


def test_giving_back_more_than_was_taken_gives_nothing(owner: tuple[UUID, UUID]) -> None:
    assert reserve(owner, claim())
    release(owner, ("day:x", "3"))
    release(owner, ("day:x", "3"))
    release(owner, ("day:unknown", "3"))
    assert used() == {"day:x": (0, Decimal(0))}


def together(count: int, job: Callable[[int], object]) -> list[object]:
    """Run a job in many threads at once, each with a connection of its own."""
    results: list[object] = [None] * count
    barrier = threading.Barrier(count)

    def body(number: int) -> None:
        try:
            barrier.wait(30)
            results[number] = job(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize(("count", "limit", "won"), [(37, None, 37), (None, "100", 33), (40, "60", 20)])
def test_a_hundred_calls_at_once_overspend_nothing(
    owner: tuple[UUID, UUID], count: int | None, limit: str | None, won: int
) -> None:
    # In threads that come in waves: the connections of a process are fewer than its calls.
    results = [
        got
        for _ in range(5)
        for got in together(20, lambda _: reserve(owner, claim("day:x", "3", count, limit)))
    ]
    assert results.count(True) == won
    assert results.count(False) == 100 - won
    assert used() == {"day:x": (won, Decimal(3 * won))}


def test_calls_that_claim_windows_in_any_order_do_not_wait_for_each_other_in_a_circle(
    owner: tuple[UUID, UUID],
) -> None:
    windows = [claim(f"w{number}", "1") for number in range(6)]

    def take(number: int) -> bool:
        turned = windows[number % 6 :] + windows[: number % 6]
        took = reserve(owner, *(turned if number % 2 else turned[::-1]))
        release(owner, *((each.window, "1") for each in turned))
        return took

    assert set(together(16, take)) == {True}
    assert set(used().values()) == {(0, Decimal(0))}


def test_calls_of_parents_and_children_do_not_either_and_overspend_nothing(
    owner: tuple[UUID, UUID],
) -> None:
    """Each of three agents acts on behalf of the two others in turn, which would be a circle of locks unordered."""
    (identity, tool), count = owner, 7
    agents = [identity, *(AgentFactory.create().pk for _ in range(2))]

    def take(number: int) -> bool:
        acting = agents[number % 3]
        windows = [window_of("day", tool, NOW, Whose(agent=each)) for each in agents if each != acting]
        claims = [claim(window, "1", count) for window in (*windows[:: (-1) ** number], "day:2026-11-22")]
        return reserve((acting, tool), *claims)

    results = [took for _ in range(3) for took in together(10, take)]
    assert results.count(True) == count
    assert {usage.identity_id: usage.used_count for usage in CapUsage.objects.all()} == dict.fromkeys(
        agents, count
    )


def test_without_the_conditions_a_hundred_calls_overspend(
    owner: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: read first, then write."""

    def careless(cursor: Any, identity: UUID, tool: UUID, claims: tuple[CapClaim, ...]) -> bool:
        usage = CapUsage.objects.get(identity_id=identity, tool_id=tool)
        read.wait(30)
        if usage.used_count + 1 > (claims[0].count_limit or 0):
            return False
        CapUsage.objects.filter(pk=usage.pk).update(used_count=F("used_count") + 1)
        return True

    assert reserve(owner, claim(count=2))
    read = threading.Barrier(2)
    monkeypatch.setattr("tests.tools.test_caps.reserve_caps", careless)
    assert together(2, lambda _: reserve(owner, claim(count=2))) == [True, True]
    assert used()["day:x"][0] == 3


def test_amounts_are_told_in_plain_digits() -> None:
    ask = Ask(
        UUID(int=1), "refund", "f" * 64, "irreversible", Decimal("1E+2"), datetime(2026, 7, 1, tzinfo=UTC)
    )
    cap = Cap("day", None, Decimal("5.00000000"))
    used = {window_of("day", ask.run_id, ask.now): (1, Decimal("0E-8"))}
    told = exceeded_windows((cap,), ask, used)
    assert told == "0.00 of 5.00 per day is used, 100 more would exceed it"
    assert exceeded_per_call((replace(cap, per="call"),), ask.amount) == "100 is more than 5.00 per call"
