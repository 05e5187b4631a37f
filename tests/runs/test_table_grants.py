"""A grant that asks a decision table: the stricter of both counts, and people sign what the table says."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from tests.runs.company import Company, proposes, says
from tests.tools.tables import Json, make_table, policy, publish
from tools.models import DecisionTable, ToolGrant
from tools.services import Terms, retire_table, set_grant

pytestmark = pytest.mark.dmn

RULES = policy(
    ("< 10", "ALLOW"), ("[10..100)", "REQUIRE_APPROVAL"), ("[100..200)", "DENY"), ("[300..400]", "MAYBE")
)
CAPPED: Json = {
    "inputs": [{"expression": "argument order_id", "type": "string"}],
    "outputs": [{"name": "verdict"}, {"name": "cap_amount", "type": "number"}],
    "rules": [{"id": "known", "tests": ['"A-1"'], "outputs": ['"ALLOW_WITH_CAPS"', "20"]}],
}


def guard(company: Company, rules: Json, decision: str = "ALLOW") -> DecisionTable:
    """Provide a refund whose grant asks a table."""
    table = make_table(company.cast, "refund-policy")
    publish(company.cast, table, rules)
    version = company.add_tool("refund", amount_argument="amount", currency="USD", grant=None)
    company.let_decide(version.tool)
    terms = Terms(decision, policy_table=table.pk)
    set_grant(actor=company.cast.ada, identity=company.cast.agent, tool=version.tool, terms=terms)
    return table


def refund(company: Company, amount: str, order: str = "A-1") -> Any:
    run = company.run(proposes(("refund", {"order_id": order, "amount": amount})), says("Done."))
    return company.calls(run)[0]


@pytest.mark.parametrize(
    ("decision", "amount", "state", "code"),
    [
        ("ALLOW", "9.99", "succeeded", "ok"),
        ("ALLOW", "10", "waiting", ""),
        ("REQUIRE_APPROVAL", "9.99", "waiting", ""),
        ("ALLOW", "100", "refused", "table_denies"),
        ("REQUIRE_APPROVAL", "100", "refused", "table_denies"),
        ("ALLOW", "250", "refused", "table_undecided"),
        ("ALLOW", "300", "refused", "table_undecided"),
    ],
)
def test_the_stricter_counts(company: Company, decision: str, amount: str, state: str, code: str) -> None:
    guard(company, RULES, decision)
    call = refund(company, amount)
    assert (call.state, call.code) == (state, code)
    assert any("refund-policy (version 1)" in reason["detail"] for reason in call.reasons)


@pytest.mark.parametrize(
    ("order", "amount", "code"),
    [("A-1", "20", "ok"), ("A-1", "20.01", "table_cap_exceeded"), ("A-2", "20", "table_undecided")],
)
def test_a_table_caps_what_it_allows_by_the_arguments(
    company: Company, order: str, amount: str, code: str
) -> None:
    guard(company, CAPPED)
    assert refund(company, amount, order).code == code


def test_without_a_version_in_force_nothing_goes(company: Company) -> None:
    table = guard(company, RULES)
    retire_table(actor=company.cast.ada, version=table.versions.get())
    assert refund(company, "1").code == "table_undecided"


@pytest.mark.parametrize("is_changed", [True, False])
def test_what_people_signed_was_the_answer_of_these_rules(company: Company, is_changed: bool) -> None:
    table = guard(company, RULES)
    company.play(proposes(("refund", {"order_id": "A-1", "amount": "50"})), says("Done."))
    run = company.drive(company.start())
    company.decide()
    if is_changed:
        publish(company.cast, table, policy(("< 60", "REQUIRE_APPROVAL"), ("[60..200)", "DENY")))
    run = company.drive(run)
    assert company.states(run) == [("refused", "approval_voided") if is_changed else ("succeeded", "ok")]
    assert len(company.world.effects) == (not is_changed)


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": [{"expression": "weather", "type": "string"}]},
        {"outputs": [{"name": "answer", "type": "string"}]},
        {"hit_policy": "COLLECT"},
    ],
)
def test_a_table_that_cannot_answer_about_calls_is_refused(company: Company, changes: Json) -> None:
    with pytest.raises(ValidationFailed, match="policy_table"):
        guard(company, {**policy(("-", "ALLOW")), "inputs": [{"expression": "tool"}], **changes})
    assert not ToolGrant.objects.exists()


def test_a_table_of_another_team_is_none(company: Company) -> None:
    guard(company, RULES)
    tool = company.versions[0].tool
    foreign = DecisionTable.objects.create(team=company.cast.other_team, slug="theirs", name="Theirs")
    publish(company.cast, foreign, RULES)
    terms = Terms("ALLOW", policy_table=foreign.pk)
    with pytest.raises(ValidationFailed, match="policy_table"):
        set_grant(actor=company.cast.ada, identity=company.cast.agent, tool=tool, terms=terms)
