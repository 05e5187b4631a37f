"""Approval rules in the console."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from approvals.admin.rules import initial_of
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRule
from identities.models import ChangeProposal
from tests.cast import Cast
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.factories import ToolVersionFactory

MODEL = "approvals_approvalrule"
SCRIPT = "<script>alert(1)</script>"

pytestmark = [pytest.mark.django_db, pytest.mark.console, pytest.mark.slow]


def send(client: Client, cast: Cast, **changes: str) -> Page:
    form = {
        "team": str(cast.team.pk), "place": "1", "name": f"Two {SCRIPT}", "effect": "irreversible", "factor": "any",
        "needed_1": "1", "group_1": "finance", "after_s_1": "300", "further_1": "heads", "needed_2": "2", **changes,
    }  # fmt: skip
    return client.post(page_of(MODEL, "add"), form)


@pytest.fixture(autouse=True)
def heads(cast: Cast) -> None:
    Group.objects.create(name="heads")


def test_the_form_sets_a_rule_and_shows_it_in_words(cast: Cast) -> None:
    client = sign_in(cast.alice)
    page = send(client, cast, reason_required="on")
    rule = ApprovalRule.objects.get()
    assert page["Location"] == page_of(MODEL, "change", rule.pk)
    assert rule.stages == [
        {"needed": 1, "group": "finance", "escalate": [{"after_s": 300, "group": "heads"}]},
        {"needed": 2, "group": None, "escalate": []},
    ]
    for shown in (client.get(page["Location"]), client.get(page_of(MODEL, "changelist"))):
        assert "1 of finance (after 300 s of heads too), then 2 of all who may approve" in text_of(shown)
        assert "its effect is irreversible" in text_of(shown)
        assert SCRIPT not in shown.content.decode()


def test_a_change_starts_from_what_stands(cast: Cast) -> None:
    client = sign_in(cast.alice)
    send(client, cast, min_amount="500", currency="USD")
    rule = ApprovalRule.objects.get()
    page = client.get(f"{page_of(MODEL, 'add')}?from={rule.pk}").content.decode()
    for shown in ('name="needed_2" value="2"', 'name="min_amount" value="500.0000"', 'value="300"'):
        assert shown in page
    assert initial_of(rule)["further_1"] == "heads"
    for nonsense in ("x", "", "00000000-0000-0000-0000-000000000000"):
        assert client.get(f"{page_of(MODEL, 'add')}?from={nonsense}").status_code == 200


def test_what_takes_two_becomes_a_proposal(governed: Cast) -> None:
    client = sign_in(governed.alice)
    assert ApprovalRule.objects.count() == 0
    send(client, governed)
    page = send(client, governed, needed_2="1")
    proposal = ChangeProposal.objects.get()
    assert page["Location"] == page_of("identities_changeproposal", "change", proposal.pk)
    assert ApprovalRule.objects.standing().get().stages[1]["needed"] == 2
    assert "2" in text_of(client.get(page["Location"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"needed_1": ""}, {"needed_1": "0"}, {"needed_1": "99"}, {"place": "0"}, {"name": ""}, {"min_amount": "5"},
        {"currency": "USD"}, {"group_1": "strangers"}, {"factor": "trust"}, {"team": ""},
        {"group_1": "", "after_s_1": "5", "further_1": "heads"},
        {"after_s_1": ""}, {"further_1": ""}, {"needed_2": "", "group_2": "finance"}, {"needed_2": "", "needed_3": "1"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_at_the_form(cast: Cast, changes: dict[str, str]) -> None:
    assert send(sign_in(cast.alice), cast, **changes).status_code == 422
    assert not ApprovalRule.objects.exists()


def test_another_teams_things_are_not_offered(cast: Cast) -> None:
    foreign = ToolVersionFactory.create(tool__team=cast.other_team).tool
    page = sign_in(cast.alice).get(page_of(MODEL, "add")).content.decode()
    assert str(foreign.pk) not in page
    assert send(sign_in(cast.alice), cast, tool=str(foreign.pk)).status_code == 422


def test_a_rule_is_ended(cast: Cast) -> None:
    client = sign_in(cast.alice)
    send(client, cast)
    rule = ApprovalRule.objects.get()
    form = {"action": "end", "_selected_action": str(rule.pk), "confirmed": "yes"}
    client.post(page_of(MODEL, "changelist"), form)
    assert not ApprovalRule.objects.standing().exists()
    assert "ended" in text_of(client.get(page_of(MODEL, "change", rule.pk)))


def test_who_may_not_is_offered_nothing(cast: Cast) -> None:
    assert sign_in(cast.bob).get(page_of(MODEL, "add"))["Location"] == "/admin/"
    send(sign_in(cast.bob), cast)
    assert not ApprovalRule.objects.exists()


def test_another_teams_people_see_none(cast: Cast) -> None:
    send(sign_in(cast.alice), cast)
    rule = ApprovalRule.objects.get()
    for page in (page_of(MODEL, "changelist"), page_of(MODEL, "change", rule.pk)):
        assert "its effect is irreversible" not in text_of(sign_in(cast.charlie).get(page))


def test_the_button_leads_to_the_form(cast: Cast) -> None:
    client = sign_in(cast.alice)
    send(client, cast)
    rule = ApprovalRule.objects.get()
    page = client.post(page_of(MODEL, "changelist"), {"action": "change", "_selected_action": str(rule.pk)})
    assert page["Location"] == f"{page_of(MODEL, 'add')}?from={rule.pk}"


STEPS = [{"after_s": 60, "group": "heads"}, {"after_s": 120, "group": "finance"}]


@pytest.mark.parametrize(
    "stages",
    [({"needed": 1},) * 4, ({"needed": 1, "group": "finance", "escalate": STEPS},)],
    ids=["stages", "groups"],
)
def test_a_rule_that_the_form_would_cut_is_not_changed_by_it(
    cast: Cast, stages: tuple[dict[str, Any], ...]
) -> None:
    rule = set_approval_rule(actor=cast.alice, team=cast.team, place=1, ruling=Ruling("Long", stages))
    assert rule is not None
    client = sign_in(cast.alice)
    page = client.post(page_of(MODEL, "changelist"), {"action": "change", "_selected_action": str(rule.pk)})
    assert page["Location"] == page_of(MODEL, "change", rule.pk)
    assert "through the API" in text_of(client.get(page["Location"]))
    blank = client.get(f"{page_of(MODEL, 'add')}?from={rule.pk}").content.decode()
    assert "Long" not in blank
