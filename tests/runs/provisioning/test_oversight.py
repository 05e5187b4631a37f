"""How deciders are watched over, in a document."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from agentops.errors import ValidationFailed
from approvals.models import OversightRule
from identities.models import ChangeProposal, ChangeRule, User
from runs.provisioning import apply_document
from runs.provisioning.plan import Plan
from tests.runs.provisioning.document import BASE, VARIABLES

REST = {"most": 20, "within_s": 3600, "pause_s": 600}
LOOKS = {"second_percent": 10, "second_below": "50.00", "currency": "USD", "before_effect": True}
NOT_SAID = object()


def apply(ada: User, rule: Any = NOT_SAID, **options: Any) -> Plan:
    told = yaml.safe_load(BASE)
    if rule is not NOT_SAID:
        told["teams"]["desk"]["oversight_rule"] = rule
    return apply_document(actor=ada, text=yaml.safe_dump(told), variables=VARIABLES, **options)


def standing() -> list[tuple[Any, ...]]:
    rows = OversightRule.objects.standing()
    return list(rows.values_list("most", "within_s", "pause_s", "second_percent", "before_effect"))


@pytest.fixture
def one_person_may(db: None) -> None:
    """Let the tests that are about something else change a rule that stands."""
    ChangeRule.objects.filter(verb="oversight_rule.set").update(needs="one")


def test_the_stated_rule_stands_until_another_or_null_is_stated(ada: User, one_person_may: None) -> None:
    assert "oversight rule desk: create" in str(apply(ada, {**REST, **LOOKS}))
    assert standing() == [(20, 3600, 600, 10, True)]
    assert apply(ada, {**REST, **LOOKS}).is_empty
    assert apply(ada).is_empty
    apply(ada, REST)
    assert standing() == [(20, 3600, 600, 0, False)]
    apply(ada, None)
    assert (standing(), apply(ada, None).is_empty) == ([], True)


def test_the_plan_says_what_loosens_and_never_by_what_is_drawn(ada: User, one_person_may: None) -> None:
    first = apply(ada, {**REST, **LOOKS})
    seed = OversightRule.objects.get().seed
    told = str(apply(ada, {**REST, "most": 30, **LOOKS, "second_percent": 20, "second_below": "20"}))
    assert "most (loosens): 20 → 30" in told
    assert "second_below (loosens): 50.00 → 20.00" in told
    assert "second_percent: 10 → 20" in told
    assert seed not in str(first) + told


def test_what_was_shown_is_what_is_done(ada: User) -> None:
    shown = apply(ada, REST, dry_run=True)
    assert standing() == []
    assert apply(ada, REST, expected=shown) == shown


def test_another_rule_than_the_one_that_stands_waits_for_a_second_person(ada: User) -> None:
    apply(ada, REST)
    ChangeRule.objects.filter(verb="oversight_rule.set").update(needs="two")
    plan = apply(ada, None)
    assert standing() == [(20, 3600, 600, 0, False)]
    assert plan.waiting == ("oversight rule desk",)
    assert ChangeProposal.objects.get(state="waiting").verb == "oversight_rule.set"


@pytest.mark.parametrize(
    "rule",
    [
        {},
        [REST],
        {"most": 20},
        {"within_s": 60, "pause_s": 60},
        {**REST, "most": 1},
        {**REST, "pause_s": 86401},
        {"second_percent": 101},
        {"second_percent": 0},
        {**LOOKS, "currency": ""},
        {"second_percent": 10, "second_below": "50"},
        {"second_percent": 10, "currency": "USD"},
        {**LOOKS, "second_below": "0"},
        {**REST, "seed": "known"},
    ],
)
def test_what_is_no_rule_is_refused(ada: User, rule: Any) -> None:
    with pytest.raises(ValidationFailed):
        apply(ada, rule)
    assert standing() == []
