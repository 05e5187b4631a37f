"""How much of a crowd is opened, in a document."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentops.errors import ValidationFailed
from approvals.models import SamplingRule
from identities.models import ChangeProposal, ChangeRule, User
from runs.provisioning import apply_document
from runs.provisioning.plan import Plan
from tests.runs.provisioning.document import BASE, VARIABLES

pytestmark = [pytest.mark.setup, pytest.mark.slow]

FEW = {"at_least": 5, "percent": 10, "max_amount": "50.00", "currency": "USD"}
MANY = {"at_least": 20, "percent": 50, "max_amount": "50.00", "currency": "USD"}


def apply(ada: User, rules: Any) -> Plan:
    told = yaml.safe_load(BASE)
    if rules is not None:
        told["teams"]["desk"]["sampling_rules"] = rules
    return apply_document(actor=ada, text=yaml.safe_dump(told), variables=VARIABLES)


def standing() -> list[tuple[str, int, int]]:
    rows = SamplingRule.objects.standing().order_by("effect")
    return list(rows.values_list("effect", "at_least", "percent"))


def test_listed_rules_stand_and_no_others(ada: User) -> None:
    apply(ada, {"reversible": FEW})
    assert standing() == [("reversible", 5, 10)]
    assert apply(ada, {"reversible": FEW}).is_empty
    assert "sampling rule desk, reversible" in str(apply(ada, {"reversible": MANY}))
    assert apply(ada, None).is_empty
    assert standing() == [("reversible", 20, 50)]
    apply(ada, {})
    assert standing() == []


def test_less_to_open_waits_for_a_second_person(ada: User) -> None:
    apply(ada, {"reversible": MANY})
    for rule in ChangeRule.objects.filter(verb="sampling_rule.set"):
        rule.needs = "two_to_loosen"
        rule.save()
    apply(ada, {"reversible": FEW})
    assert standing() == [("reversible", 20, 50)]
    assert ChangeProposal.objects.get(state="waiting").verb == "sampling_rule.set"


@pytest.mark.parametrize(
    "rules",
    [
        {"read": FEW},
        {"reversible": {"percent": 10}},
        {"reversible": {**FEW, "at_least": 0}},
        {"reversible": {**FEW, "percent": 101}},
        {"reversible": {**FEW, "max_amount": "-1"}},
        {"reversible": {**FEW, "more": 1}},
        [FEW],
    ],
)
def test_what_is_no_rule_is_refused(ada: User, rules: Any) -> None:
    with pytest.raises(ValidationFailed):
        apply(ada, rules)
    assert standing() == []
