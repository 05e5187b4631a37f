"""A hundred calls in four processes at once under one grant: exactly its caps are spent."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.budget.cap_fleet import NOW, reserve_all
from tests.cast import Cast
from tests.factories import GrantFactory, ToolFactory
from tools.caps import window_of
from tools.models import CapUsage, ToolGrant

pytestmark = [pytest.mark.budget, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def grant_of(cast: Cast, count: int, amount: str) -> ToolGrant:
    caps = [{"per": "day", "count": count, "amount": amount}]
    tool = ToolFactory.create(team=cast.team)
    made: ToolGrant = GrantFactory.create(
        identity=cast.agent, tool=tool, decision="ALLOW_WITH_CAPS", caps=caps
    )
    return made


@pytest.mark.parametrize(("count", "amount", "won"), [(37, "1000.00", 37), (90, "60.00", 20)])
def test_a_hundred_calls_of_four_processes_spend_exactly_the_cap(
    cast: Cast, count: int, amount: str, won: int
) -> None:
    assert reserve_all(grant_of(cast, count, amount).pk, "3.00") == won
    usage = CapUsage.objects.get()
    assert (usage.used_count, usage.used_amount) == (won, Decimal(3 * won))


def test_calls_that_look_before_they_write_overspend(cast: Cast) -> None:
    """The mutant."""
    grant = grant_of(cast, 10, "30.00")
    window = window_of("day", grant.pk, NOW)
    CapUsage.objects.create(identity=grant.identity, tool=grant.tool, window=window)
    assert reserve_all(grant.pk, "3.00", careless=True) > 10
    assert CapUsage.objects.get().used_count > 10
