"""A document is applied by two people, or proposes what takes a second one."""

from __future__ import annotations

import pytest
import yaml
from django.conf import LazySettings

from identities.changes import activate
from identities.models import ChangeProposal, ChangeRule, User
from runs.models import AgentVersion
from runs.provisioning import Plan, apply_document
from runs.provisioning.demo import DOCUMENT, load_company
from tests.factories import PersonFactory
from tools.models import ToolGrant, UserTerms

pytestmark = [pytest.mark.django_db, pytest.mark.authority, pytest.mark.slow]

VARIABLES = {f"APPLY_PASSWORD_{name}": "correct-horse-battery" for name in ("ADA", "OSCAR", "FIONA", "VERA")}


@pytest.fixture(autouse=True)
def _two_people_by_default(db: None) -> None:
    for rule in ChangeRule.objects.all():
        rule.needs = "two_to_loosen"
        rule.save()


def test_the_demo_is_set_up_by_two_named_people(settings: LazySettings) -> None:
    settings.DEMO = True  # whose approvers need no second factor
    load_company({}, "")
    signed = ChangeProposal.objects.filter(
        state="activated", maker__username="ada", checker__username="grace"
    )
    assert signed.count() == ChangeProposal.objects.count() > ToolGrant.objects.count() > 0
    assert AgentVersion.objects.filter(state="published").exists()
    plan, _ = load_company({}, "")
    assert (plan.is_empty, plan.waiting) == (True, ())


def test_terms_of_end_users_end_with_a_second_person(settings: LazySettings) -> None:
    settings.DEMO = True
    load_company({}, "")
    ada, grace = User.objects.get(username="ada"), User.objects.get(username="grace")

    def limit(stated: dict[str, object]) -> Plan:
        document = yaml.safe_load(DOCUMENT.read_text())
        document["tools"]["refund_payment"]["for_end_users"] = stated
        return apply_document(actor=ada, text=yaml.safe_dump(document), variables=VARIABLES)

    capped: dict[str, object] = {"decision": "REQUIRE_APPROVAL", "caps": [{"per": "day", "amount": "100.00"}]}
    assert "(none) → REQUIRE_APPROVAL amount 100.00, per day" in str(limit(capped))  # it only takes away
    assert (limit(capped).is_empty, limit(capped).waiting) == (True, ())
    assert limit({"state": "ended"}).waiting == ("tool refund_payment for end users",)
    activate(actor=grace, proposal=ChangeProposal.objects.get(verb="user_terms.set"), second_factor=True)
    assert not UserTerms.objects.standing().exists()
    assert limit({"state": "ended"}).is_empty


def test_one_person_alone_proposes_and_the_next_application_goes_on(settings: LazySettings) -> None:
    settings.DEMO = True
    one, other = PersonFactory.create(is_superuser=True), PersonFactory.create(is_superuser=True)
    text = DOCUMENT.read_text()
    plan = apply_document(actor=one, text=text, variables=VARIABLES)
    assert (ToolGrant.objects.count(), len(plan.waiting)) == (0, ChangeProposal.objects.count())
    assert any("waits for a second person" in note for note in plan.notes)
    assert not AgentVersion.objects.filter(state="published").exists()
    for proposal in ChangeProposal.objects.all():
        assert activate(actor=other, proposal=proposal, second_factor=True).state == "activated"

    again = apply_document(actor=one, text=text, variables=VARIABLES)
    assert again.waiting == ()
    assert AgentVersion.objects.filter(state="published").exists()
