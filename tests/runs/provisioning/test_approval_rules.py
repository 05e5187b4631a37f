"""A team's rules about whose yes calls take, in a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group

from agentops.errors import ValidationFailed
from approvals.models import ApprovalRule
from identities.models import ChangeProposal, ChangeRule, User
from runs.provisioning import apply_document
from tests.runs.provisioning.document import BASE, VARIABLES

pytestmark = [pytest.mark.setup, pytest.mark.slow]

LARGE = {
    "name": "Large", "tool": "refund", "min_amount": "500.00", "currency": "USD", "reason_required": True,
    "stages": [
        {"needed": 1, "group": "heads", "escalate": [{"after_s": 60, "group": "heads of heads"}]}, {"needed": 2},
    ],
}  # fmt: skip
REST = {"name": "Rest", "stages": [{"needed": 1}]}


@pytest.fixture(autouse=True)
def heads(ada: User) -> None:
    for name in ("heads", "heads of heads"):
        Group.objects.create(name=name)


def document(*rules: dict[str, Any]) -> str:
    told = yaml.safe_load(BASE)
    told["teams"]["desk"]["approval_rules"] = list(rules)
    return yaml.safe_dump(told)


def standing() -> list[tuple[int, str]]:
    return list(ApprovalRule.objects.standing().order_by("place").values_list("place", "name"))


def test_listed_rules_stand_in_their_order_and_no_others(ada: User) -> None:
    apply_document(actor=ada, text=document(LARGE, REST), variables=VARIABLES)
    assert standing() == [(1, "Large"), (2, "Rest")]
    large = ApprovalRule.objects.standing().get(place=1)
    assert (str(large.tool), str(large.min_amount), large.reason_required) == ("refund", "500.0000", True)
    assert apply_document(actor=ada, text=document(LARGE, REST), variables=VARIABLES).is_empty
    changed = apply_document(actor=ada, text=document(REST), variables=VARIABLES)
    assert "approval rule desk, rule 2" in str(changed)
    assert standing() == [(1, "Rest")]
    told = yaml.safe_load(BASE)
    assert apply_document(actor=ada, text=yaml.safe_dump(told), variables=VARIABLES).is_empty
    assert standing() == [(1, "Rest")]


def test_a_change_waits_for_a_second_person(ada: User) -> None:
    apply_document(actor=ada, text=document(LARGE), variables=VARIABLES)
    for rule in ChangeRule.objects.filter(verb="approval_rule.set"):
        rule.needs = "two_to_loosen"
        rule.save()
    plan = apply_document(actor=ada, text=document(REST), variables=VARIABLES)
    assert "waits for a second person" in str(plan)
    assert standing() == [(1, "Large")]
    assert ChangeProposal.objects.get(state="waiting").verb == "approval_rule.set"


@pytest.mark.parametrize(
    "edit",
    [
        lambda rule: rule.update(tool="fly"),
        lambda rule: rule.update(agent="nobody"),
        lambda rule: rule.update(stages=[]),
        lambda rule: rule.update(stages=[{"needed": 0}]),
        lambda rule: rule.update(stages=[{"needed": 1, "group": "strangers"}]),
        lambda rule: rule.update(min_amount=500),
        lambda rule: rule.pop("currency"),
        lambda rule: rule.update(who="me"),
    ],
)
def test_what_cannot_be_kept_is_refused_whole(ada: User, edit: Callable[[dict[str, Any]], object]) -> None:
    rule = {**LARGE}
    edit(rule)
    with pytest.raises(ValidationFailed):
        apply_document(actor=ada, text=document(rule), variables=VARIABLES)
    assert standing() == []
