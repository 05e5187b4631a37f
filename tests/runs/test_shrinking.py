"""What smaller terms would have denied: the recorded calls, decided again by the real policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runs.erasure import erase_run
from runs.models import Run
from runs.shrinking import foresee_shrink
from tests.runs.company import Company, proposes, says
from tools.models import ToolGrant
from tools.services import Terms


def refund(number: int, amount: str) -> tuple[str, dict[str, Any]]:
    return ("refund", {"order_id": f"A-{number}", "amount": amount})


@pytest.fixture
def grant(company: Company) -> ToolGrant:
    """Five refunds in two runs: 10, 20, 30 and 40, 50 USD."""
    company.add_tool("refund", amount_argument="amount", currency="USD")
    company.run(proposes(refund(1, "10"), refund(2, "20"), refund(3, "30")), says("Done."))
    company.run(proposes(refund(4, "40"), refund(5, "50")), says("Done."))
    return ToolGrant.objects.get(identity=company.cast.agent, state="active")


def capped(*caps: dict[str, Any], over: str = "DENY") -> Terms:
    return Terms("ALLOW_WITH_CAPS", caps, over)


@pytest.mark.parametrize(
    ("terms", "denied", "asked"),
    [
        (None, (5, 150), (0, 0)),
        (Terms("DENY"), (5, 150), (0, 0)),
        (Terms("REQUIRE_APPROVAL"), (0, 0), (5, 150)),
        (capped({"per": "call", "amount": "25"}), (3, 120), (0, 0)),
        (capped({"per": "call", "amount": "25"}, over="REQUIRE_APPROVAL"), (0, 0), (3, 120)),
        (capped({"per": "run", "count": 2}), (1, 30), (0, 0)),
        (capped({"per": "month", "count": 3}), (2, 90), (0, 0)),  # in the order in which they came
        (capped({"per": "run", "amount": "60"}), (1, 50), (0, 0)),
        (capped({"per": "month", "count": 900}), (0, 0), (0, 0)),
    ],
)
def test_recorded_calls_are_decided_again(
    grant: ToolGrant, terms: Terms | None, denied: tuple[int, int], asked: tuple[int, int]
) -> None:
    found = foresee_shrink(grant, terms)
    assert found.calls == 5
    assert (found.denied.calls, found.denied.money.get("USD", 0)) == denied
    assert (found.asked.calls, found.asked.money.get("USD", 0)) == asked


def test_what_was_denied_anyway_is_no_loss(company: Company, grant: ToolGrant) -> None:
    stands = company.grant(grant.tool, "ALLOW_WITH_CAPS", caps=[{"per": "call", "amount": "25"}])
    found = foresee_shrink(stands, capped({"per": "call", "amount": "15"}))
    assert (found.denied.calls, found.denied.money) == (1, {"USD": Decimal(20)})


def test_an_erased_amount_is_denied_where_amounts_are_capped(company: Company, grant: ToolGrant) -> None:
    run = Run.objects.order_by("created_at").last()
    assert run is not None
    erase_run(actor=company.cast.ada, run=run, reason="They asked.")
    found = foresee_shrink(grant, capped({"per": "call", "amount": "900"}))
    assert (found.denied.calls, found.denied.money) == (2, {})
