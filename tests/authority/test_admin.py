"""The console proposes what takes two people, and lets the second one activate it."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from identities.models import ChangeProposal, ChangeRule, User
from tests.cast import Cast, let_govern
from tests.console.visits import sign_in
from tests.factories import ToolVersionFactory
from tools.models import Tool, ToolGrant

pytestmark = [pytest.mark.django_db, pytest.mark.authority, pytest.mark.slow]

LIST = "admin:identities_changeproposal_changelist"


def press(client: Client, action: str, proposal: ChangeProposal, **more: str) -> str:
    body = {
        "action": action,
        "_selected_action": str(proposal.pk),
        "confirmed": "1",
        "from_page": "1",
        **more,
    }
    answer = client.post(reverse(LIST), body, follow=True)
    return str(answer.content.decode())


@pytest.fixture
def proposal(governed: Cast) -> ChangeProposal:
    """Have Alice fill in the form for grants."""
    tool: Tool = ToolVersionFactory.create(tool__team=governed.team).tool
    form = {
        "identity": governed.agent.pk, "tool": tool.pk, "decision": "ALLOW", "over_caps": "DENY",
        "approval_ttl_s": 600,
    }  # fmt: skip
    answer = sign_in(governed.alice).post(reverse("admin:tools_toolgrant_add"), form, follow=True)
    assert "once a second person activates it" in answer.content.decode()
    assert not ToolGrant.objects.exists()
    return ChangeProposal.objects.get()


def test_the_form_proposes_and_a_colleague_activates(governed: Cast, proposal: ChangeProposal) -> None:
    let_govern(governed.bob)
    page = reverse("admin:identities_changeproposal_change", args=[proposal.pk])
    theirs = sign_in(governed.alice).get(page).content.decode()
    assert "loosens" in theirs
    assert 'value="activate"' not in theirs
    assert 'value="withdraw"' in theirs

    assert "second factor" in press(sign_in(governed.bob, seconds_ago=600), "activate", proposal)
    assert not ToolGrant.objects.exists()
    press(sign_in(governed.bob), "activate", proposal)
    assert ToolGrant.objects.get(state="active").decision == "ALLOW"
    press(sign_in(governed.alice), "roll_back", proposal, reason="a mistake")
    assert not ToolGrant.objects.filter(state="active").exists()


def test_its_maker_does_not_activate_and_a_colleague_rejects(
    governed: Cast, proposal: ChangeProposal
) -> None:
    let_govern(governed.bob)
    assert "ask a colleague" in press(sign_in(governed.alice), "activate", proposal)
    press(sign_in(governed.bob), "reject", proposal, reason="too wide")
    proposal.refresh_from_db()
    assert (proposal.state, proposal.answer) == ("rejected", "too wide")


def test_a_looser_rule_is_proposed(governed: Cast) -> None:
    form = {"verb": "budget.set", "needs": "one", "reason": "Small team."}
    sign_in(governed.ada).post(reverse("admin:identities_changerule_add"), form)
    assert ChangeProposal.objects.get(verb="rule.set").reason == "Small team."
    assert ChangeRule.objects.get(verb="budget.set", team=None).needs == "two_to_loosen"
    outsider: User = governed.charlie
    refused = sign_in(outsider).post(reverse("admin:identities_changerule_add"), form)
    assert refused.status_code == 422
