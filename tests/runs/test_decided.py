"""A run in which a table decides: the model passes on what was decided, or nothing happens."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from tests.runs.company import Company, proposes, says
from tests.tools.tables import eligibility, make_table, publish
from tools.models import DecisionTable
from tools.services import retire_table
from tools.services.table_faults import derive_schemas

pytestmark = pytest.mark.dmn

BOUND = {"amount": {"tool": "eligibility", "output": "amount", "inputs": {"order_id": "order_id"}}}
ASKED = ("eligibility", {"order_id": "A-1", "days": 3})


@pytest.fixture
def table(company: Company) -> DecisionTable:
    """Provide a table in force, a tool that asks it, and a refund that is bound to it."""
    table = make_table(company.cast)
    publish(company.cast, table, eligibility())
    schemas = derive_schemas(company.cast.team, table.slug)
    company.add_tool(
        "eligibility", effect="read", adapter="decision", config={"table": table.slug}, **schemas
    )
    company.add_tool("refund", bound=BOUND)
    return table


@pytest.mark.parametrize(
    ("before", "refund", "happens"),
    [
        (ASKED, {"order_id": "A-1", "amount": "50.00"}, True),
        (ASKED, {"order_id": "A-1", "amount": "51.00"}, False),
        (ASKED, {"order_id": "A-2", "amount": "50.00"}, False),
        (("eligibility", {"order_id": "A-1", "days": -3}), {"order_id": "A-1", "amount": "50.00"}, False),
    ],
)
def test_only_what_was_decided_is_paid(
    company: Company, table: DecisionTable, before: Any, refund: dict[str, str], happens: bool
) -> None:
    run = company.run(proposes(before), proposes(("refund", refund)), says("Done."))
    assert company.states(run)[1] == (
        ("succeeded", "ok") if happens else ("refused", "not_the_decided_value")
    )
    assert len(company.world.effects) == happens
    if not happens:
        (reason,) = company.calls(run)[1].reasons
        assert reason["code"] == "not_the_decided_value"
        assert "eligibility" in reason["detail"]


def test_nothing_is_paid_in_the_same_breath(company: Company, table: DecisionTable) -> None:
    run = company.run(proposes(ASKED, ("refund", {"order_id": "A-1", "amount": "50"})), says("Done."))
    assert company.states(run) == [("succeeded", "ok"), ("refused", "not_the_decided_value")]


def test_the_result_says_how_it_came_about(company: Company, table: DecisionTable) -> None:
    run = company.run(proposes(ASKED), says("Done."))
    result = company.content(run, "call.succeeded")["value"]
    assert (result["outputs"], result["table"], result["version"]) == (
        {"amount": 50},
        "refund-eligibility",
        1,
    )
    (trace,) = result["trace"]
    assert (trace["rules"], trace["inputs"][1]) == (["early"], {"expression": "days", "value": "3"})


@pytest.mark.parametrize("why", ["no rule", "no version"])
def test_no_decision_is_a_failed_call(company: Company, table: DecisionTable, why: str) -> None:
    days = 3
    if why == "no version":
        retire_table(actor=company.cast.ada, version=table.versions.get())
    else:
        days = -3
    run = company.run(proposes(("eligibility", {"order_id": "A-1", "days": days})), says("Done."))
    assert company.states(run) == [("failed", "no_decision")]


def test_the_version_in_force_at_the_call_decides(company: Company, table: DecisionTable) -> None:
    company.publish()
    publish(company.cast, table, eligibility(early="60"))
    run = company.run(
        proposes(ASKED), proposes(("refund", {"order_id": "A-1", "amount": "60"})), says("Done.")
    )
    assert company.states(run) == [("succeeded", "ok"), ("succeeded", "ok")]


def test_what_a_person_approved_is_looked_at_again_before_it_is_done(
    company: Company, table: DecisionTable
) -> None:
    version = company.add_tool("cancel", grant="REQUIRE_APPROVAL", bound=BOUND)
    company.let_decide(version.tool)
    run = company.run(
        proposes(ASKED), proposes(("cancel", {"order_id": "A-1", "amount": "50"})), says("Done.")
    )
    assert company.calls(run)[1].state == "waiting"
    with connection.cursor() as cursor:  # an erased decision decides nothing any more
        cursor.execute(
            "UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s AND kind = 'call.succeeded'",
            [run.pk],
        )
    company.decide()
    run = company.drive(run)
    assert company.states(run)[1] == ("refused", "not_the_decided_value")
    assert company.world.effects == []
