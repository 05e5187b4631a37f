"""Decision tables in a document: published by two, asked by a tool, binding another."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentops.errors import ValidationFailed
from identities.models import ChangeRule, User
from runs.provisioning import apply_document
from tests.runs.provisioning.document import BASE, VARIABLES
from tools.models import DecisionTableVersion, ToolGrant, ToolVersion

pytestmark = [pytest.mark.dmn, pytest.mark.slow]
BOUND = {"amount": {"tool": "eligibility", "output": "amount", "inputs": {"order_id": "order_id"}}}
TABLE: dict[str, Any] = {
    "team": "desk",
    "name": "Who gets how much back",
    "table": {
        "inputs": [{"expression": "order id", "type": "string"}, {"expression": "amount", "type": "number"}],
        "outputs": [{"name": "amount", "type": "number"}],
        "rules": [{"id": "all", "tests": ["-", "-"], "outputs": ["50"]}],
    },
    "cases": [{"name": "any", "inputs": {"order id": "A", "amount": 1}, "expect": {"amount": 50}}],
}
POLICY = {
    "team": "desk",
    "name": "What goes out",
    "table": {
        "inputs": [{"expression": "amount", "type": "number"}],
        "outputs": [{"name": "verdict"}],
        "rules": [{"id": "all", "tests": ["-"], "outputs": ['"DENY"']}],
    },
}


def document(**table: Any) -> str:
    told = yaml.safe_load(BASE)
    told["decision_tables"] = {"amounts": {**TABLE, **table}, "policy": POLICY}
    told["tools"]["eligibility"] = {
        "team": "desk", "description": "Decides what is paid back.", "effect": "read", "idempotency": "none",
        "adapter": "decision", "config": {"table": "amounts"},
    }  # fmt: skip
    told["tools"]["refund"]["bound"] = BOUND
    told["agents"]["desk-agent"]["grants"]["refund"]["policy_table"] = "policy"
    return yaml.safe_dump(told)


def test_tables_tools_and_grants_stand_once(ada: User) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    asked = ToolVersion.objects.get(tool__name="eligibility")
    assert set(asked.input_schema["properties"]) == {"order_id", "amount"}
    assert asked.output_schema is not None
    assert ToolVersion.objects.get(tool__name="refund").bound == BOUND
    grant = ToolGrant.objects.get(tool__name="refund")
    assert grant.policy_table is not None
    assert grant.policy_table.slug == "policy"
    assert apply_document(actor=ada, text=document(), variables=VARIABLES).is_empty
    changed = apply_document(actor=ada, text=document(cases=[]), variables=VARIABLES)
    assert "~ decision table amounts: update" in str(changed)
    assert list(DecisionTableVersion.objects.filter(table__slug="amounts").values_list("number", "state")) == [
        (2, "published"), (1, "published")
    ]  # fmt: skip


def test_a_table_waits_for_a_second_person(ada: User) -> None:
    apply_document(actor=ada, text=document(), variables=VARIABLES)
    for rule in ChangeRule.objects.filter(verb="decision_table.publish"):
        rule.needs = "two"
        rule.save()
    for _ in range(2):
        plan = apply_document(actor=ada, text=document(cases=[]), variables=VARIABLES)
        assert plan.waiting == ("decision table amounts",)
    assert DecisionTableVersion.objects.filter(table__slug="amounts", state="draft").count() == 1


def test_a_failing_case_stops_the_whole_document(ada: User) -> None:
    case = {**TABLE["cases"][0], "expect": {"amount": 51}}
    with pytest.raises(ValidationFailed, match="decision_tables/amounts: any: came out otherwise"):
        apply_document(actor=ada, text=document(cases=[case]), variables=VARIABLES)
