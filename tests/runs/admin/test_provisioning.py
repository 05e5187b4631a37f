"""Setting an agent up in the console: what is reviewed is what is written, and nothing else is believed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from identities.changes import activate, set_rule
from identities.models import AgentIdentity, ChangeProposal, User
from runs.models import AgentVersion, Budget
from runs.provisioning import apply_document
from tests.cast import Cast, let_govern
from tests.console.visits import sign_in, text_of
from tests.factories import PriceFactory, ToolFactory, ToolVersionFactory
from tests.ledger import kinds_of
from tools.models import Tool, ToolGrant
from tools.services import add_approver

pytestmark = [pytest.mark.console, pytest.mark.slow]

STEPS = ("purpose", "template", "tools", "budget", "approvers")


@pytest.fixture
def answers(cast: Cast) -> dict[str, dict[str, Any]]:
    """Furnish the team, and return what a person fills in at each step."""
    PriceFactory.create(model="little-model")
    for name, effect in (("look_up", "read"), ("refund", "irreversible")):
        tool = ToolFactory.create(team=cast.team, name=name)
        ToolVersionFactory.create(
            tool=tool, effect=effect, **({} if name == "refund" else {"amount_argument": ""})
        )
    add_approver(actor=cast.ada, tool=Tool.objects.get(name="refund"), approver=cast.fiona)
    purpose = {
        "name": "Returns agent", "slug": "returns-agent", "team": cast.team.pk, "purpose": "Takes goods back.",
        "owner": cast.bob.pk, "sponsor": cast.alice.pk,
        "recertify_by": f"{timezone.now() + timedelta(days=90):%Y-%m-%d}",
    }  # fmt: skip
    template = {
        "template": "asker", "instructions": "Help.", "model": "little-model", "principal_source": "application",
    }  # fmt: skip
    tools = {
        "look_up:decision": "ALLOW", "refund:decision": "REQUIRE_APPROVAL",
        "refund:amount:call": "50.00", "refund:count:day": 4,
    }  # fmt: skip
    budget = {"max_usd": "1.50", "max_steps": 8, "day_usd": "9.00"}
    return {"purpose": purpose, "template": template, "tools": tools, "budget": budget, "approvers": {}}


def page(step: str) -> str:
    return reverse("admin:runs_provisioning", args=[step])


def fill_in(client: Client, answers: dict[str, dict[str, Any]], until: str = "review") -> None:
    for step in STEPS:
        if step == until:
            return
        answer = client.post(page(step), answers[step])
        assert answer.status_code == 302, text_of(answer)


def document_of(client: Client) -> str:
    return str(client.get(page("review")).context["document"])


def test_the_steps_lead_to_a_draft_that_begins(cast: Cast, answers: dict[str, dict[str, Any]]) -> None:
    client = sign_in(cast.alice)
    fill_in(client, answers)
    review = client.get(page("review"))
    assert "refund cannot be undone every time: fiona nothing 50.00 USD" in text_of(review)
    assert "USD a day at most 200.00 USD" in text_of(review)
    assert not AgentIdentity.objects.filter(slug="returns-agent").exists()
    begun = client.post(page("review"), {"seen": review.context["seen"]}, follow=True)
    agent = AgentIdentity.objects.select_related("sponsor").get(slug="returns-agent")
    assert "is a draft" in text_of(begun)
    assert (agent.state, agent.owner, agent.sponsor) == ("draft", cast.bob, cast.alice)
    grants = {
        grant.tool.name: (grant.decision, grant.caps) for grant in ToolGrant.objects.filter(identity=agent)
    }
    assert grants == {
        "look_up": ("ALLOW", []),
        "refund": ("REQUIRE_APPROVAL", [{"per": "call", "amount": "50.00"}, {"per": "day", "count": 4}]),
    }
    assert Budget.objects.get(identity=agent).max_usd == 9
    assert apply_document(actor=cast.ada, text=review.context["document"], variables={}).is_empty
    begin = reverse("admin:runs_begin", args=[agent.pk])
    assert "may act now" in text_of(client.post(begin, follow=True))
    agent.refresh_from_db()
    assert (agent.state, AgentVersion.objects.get(identity=agent).state) == ("active", "published")


def test_the_end_user_confirms_and_runs_may_ask_to_go_on(
    cast: Cast, answers: dict[str, dict[str, Any]]
) -> None:
    client = sign_in(cast.alice)
    answers["tools"]["refund:confirmation"] = "on"
    answers["budget"]["max_extensions"] = 2
    fill_in(client, answers)
    assert "look_up:confirmation" not in client.get(page("tools")).content.decode(), "reads change nothing"
    review = client.get(page("review"))
    client.post(page("review"), {"seen": review.context["seen"]})
    agent = AgentIdentity.objects.get(slug="returns-agent")
    confirmed = ToolGrant.objects.filter(identity=agent, confirmation=True)
    assert [grant.tool.name for grant in confirmed] == ["refund"]
    assert AgentVersion.objects.get(identity=agent).max_extensions == 2
    assert apply_document(actor=cast.ada, text=review.context["document"], variables={}).is_empty


def test_what_it_may_do_is_signed_by_a_second_person_first(
    answers: dict[str, dict[str, Any]], governed: Cast
) -> None:
    let_govern(governed.fiona)
    client, second = sign_in(governed.alice), sign_in(governed.fiona)
    fill_in(client, answers)
    review = client.get(page("review"))
    told = text_of(review)
    assert "refund cannot be undone every time: fiona nothing 50.00 USD" in told, "as if it was signed"
    assert "A second person signs what it may do" in told
    assert "2 signatures returns-agent → look_up returns-agent → refund" in told
    begun = client.post(page("review"), {"seen": review.context["seen"]}, follow=True)
    agent = begun.context["agent"]
    begin = reverse("admin:runs_begin", args=[agent.pk])
    assert ("Let it act" in text_of(begun), client.post(begin).status_code) == (False, 422)
    for proposal in ChangeProposal.objects.about(agent):
        body = {"action": "activate", "_selected_action": str(proposal.pk), "confirmed": "1"}
        second.post(reverse("admin:identities_changeproposal_changelist"), body)
    assert ToolGrant.objects.filter(identity=agent, state="active").count() == 2
    assert "may act now" in text_of(client.post(begin, follow=True))


def test_a_team_in_which_nobody_else_signs_is_told_so(
    answers: dict[str, dict[str, Any]], governed: Cast
) -> None:
    User.objects.filter(pk=governed.ada.pk).update(is_active=False)
    client = sign_in(governed.alice)
    fill_in(client, answers)
    assert "nobody but you may sign that" in text_of(client.get(page("review")))


def test_a_rule_has_two_people_let_it_act(answers: dict[str, dict[str, Any]], governed: Cast) -> None:
    for verb in ("agent.activate", "agent_version.publish"):
        set_rule(actor=governed.ada, verb=verb, team=None, needs="two")
    let_govern(governed.fiona)
    client = sign_in(governed.alice)
    fill_in(client, answers)
    review = client.get(page("review"))
    agent = client.post(page("review"), {"seen": review.context["seen"]}, follow=True).context["agent"]
    sign_all(governed.fiona)
    told = client.post(reverse("admin:runs_begin", args=[agent.pk]), follow=True)
    proposal = ChangeProposal.objects.get(verb="agent.activate")
    assert "once a second person activates it" in text_of(told)
    sign_all(governed.fiona)
    agent.refresh_from_db()
    assert (agent.state, kinds_of(proposal.pk)) == ("active", ["change.proposed", "change.activated"])


def sign_all(person: User) -> None:
    for proposal in ChangeProposal.objects.filter(state="waiting"):
        activate(actor=person, proposal=proposal, second_factor=True)


def test_what_changed_since_the_review_is_looked_at_again(
    cast: Cast, answers: dict[str, dict[str, Any]]
) -> None:
    client = sign_in(cast.alice)
    fill_in(client, answers)
    seen = client.get(page("review")).context["seen"]
    client.post(page("budget"), {**answers["budget"], "day_usd": "900.00"})
    refused = client.post(page("review"), {"seen": seen})
    assert (refused.status_code, "look at it again" in text_of(refused)) == (422, True)
    assert not AgentIdentity.objects.filter(slug="returns-agent").exists()


def test_leaving_and_coming_back_keeps_what_was_filled_in(
    cast: Cast, answers: dict[str, dict[str, Any]]
) -> None:
    client = sign_in(cast.alice)
    assert client.get(page("review"))["Location"] == page("purpose")
    fill_in(client, answers, until="budget")
    assert client.get(page("review"))["Location"] == page("budget")
    assert "Takes goods back." in client.get(page("purpose")).content.decode()
    client.post(page("budget"), {"restart": "1"})
    assert client.get(page("budget"))["Location"] == page("purpose")


@pytest.mark.parametrize(
    ("step", "changes", "said"),
    [
        ("purpose", {"slug": "refunds-agent"}, "There is an agent of this name already."),
        ("purpose", {"sponsor": "owner"}, "Choose another person than the owner."),
        ("purpose", {"team": "other"}, "Select a valid choice."),
        ("template", {"instructions": ""}, "Say what the model is to do."),
        ("template", {"model": "dear-model"}, "Select a valid choice."),
        (
            "tools",
            {"refund:decision": "ALLOW", "refund:amount:call": "", "refund:count:day": ""},
            "irreversible: a",
        ),
        ("tools", {"look_up:decision": "ALLOW_WITH_CAPS"}, "needs at least one"),
        ("tools", {"look_up:decision": "", "refund:decision": ""}, "one tool at least"),
        ("budget", {"max_usd": "much"}, "Enter a number."),
    ],
)
def test_bad_input_is_told_at_its_step(
    cast: Cast, answers: dict[str, dict[str, Any]], step: str, changes: dict[str, Any], said: str
) -> None:
    client = sign_in(cast.alice)
    fill_in(client, answers, until=step)
    meant = {"owner": cast.bob.pk, "other": cast.other_team.pk}
    changed = {**answers[step], **{name: meant.get(value, value) for name, value in changes.items()}}
    answer = client.post(page(step), changed)
    assert (answer.status_code, said in text_of(answer)) == (422, True)


def test_no_text_shows_what_the_installation_knows(
    cast: Cast, answers: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLY_PASSWORD_GINA", "correct horse")
    client = sign_in(cast.alice)
    answers["purpose"]["purpose"] = "${APPLY_PASSWORD_GINA}"
    fill_in(client, answers)
    shown = client.get(page("review"))
    assert "correct horse" not in shown.content.decode()
    assert "Nothing was changed" in text_of(shown)


def test_a_session_serves_its_own_person_only(cast: Cast, answers: dict[str, dict[str, Any]]) -> None:
    client = sign_in(cast.alice)
    fill_in(client, answers)
    session = client.session
    session["provisioning"] = {**session["provisioning"], "person": str(cast.ada.pk)}
    session.save()
    assert client.get(page("review"))["Location"] == page("purpose")


@pytest.mark.parametrize("name", ["bob", "fiona"])
def test_it_is_for_those_who_may_create_agents(cast: Cast, name: str) -> None:
    person: User = getattr(cast, name)
    assert sign_in(person).get(page("purpose"))["Location"] == reverse("admin:index")
    draft = AgentIdentity.objects.filter(pk=cast.agent.pk)
    draft.update(state="draft")
    answer = sign_in(person).post(reverse("admin:runs_begin", args=[cast.agent.pk]))
    assert answer.status_code == 422
    assert draft.get().state == "draft"


def test_a_copy_proposes_the_terms_of_the_agent(cast: Cast, answers: dict[str, dict[str, Any]]) -> None:
    client = sign_in(cast.alice)
    fill_in(client, answers)
    review = client.get(page("review"))
    made = client.post(page("review"), {"seen": review.context["seen"]}, follow=True)
    agent = made.context["agent"]
    client.post(reverse("admin:runs_begin", args=[agent.pk]))
    client.post(page("purpose"), {**answers["purpose"], "slug": "second-agent"})
    copied = AgentVersion.objects.get(identity=agent)
    client.post(page("template"), {**answers["template"], "template": copied.pk, "instructions": ""})
    rows = client.get(page("tools")).context["form"]
    assert rows["refund:decision"].initial == "REQUIRE_APPROVAL"
    assert rows["refund:amount:call"].initial == "50.00"
    for step in ("tools", "budget", "approvers"):
        client.post(page(step), answers[step])
    assert yaml.safe_load(document_of(client))["versions"]["second-agent"]["instructions"] == "Help."


def test_the_form_names_a_model_for_plans_and_one_to_fall_back_to(
    cast: Cast, answers: dict[str, dict[str, Any]]
) -> None:
    for name in ("dear-model", "spare-model"):
        PriceFactory.create(model=name)
    client = sign_in(cast.alice)
    answers["template"] |= {"plan_model": "dear-model", "spare_model": "spare-model"}
    fill_in(client, answers)
    (version,) = yaml.safe_load(document_of(client))["versions"].values()
    assert version["model_roles"] == {
        "plan": ["dear-model", "spare-model"],
        "execute": ["little-model", "spare-model"],
    }
    answers["template"] |= {"plan_model": "little-model", "spare_model": ""}
    fill_in(client, answers)
    (version,) = yaml.safe_load(document_of(client))["versions"].values()
    assert "model_roles" not in version
