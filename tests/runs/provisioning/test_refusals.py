"""Who may apply what, and what is refused with its place."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, ValidationFailed
from identities.models import Team, User
from identities.services import agents, applications, groups, people, teams
from runs import budgeting, pricing, publishing
from tests.cast import Cast
from tests.runs.provisioning.document import BASE, apply, changed, edited
from tools.models import Tool, ToolGrant
from tools.services import add_approver, approvers, catalogue, grants

pytestmark = [pytest.mark.setup, pytest.mark.slow]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda d: d["tools"]["refund"]["approvers"]["people"].append("ada"), "own_approval"),
        (lambda d: d["people"].update(ada={"superuser": True, "groups": ["approvers"]}), "own_rights"),
    ],
)
def test_no_document_lets_its_applier_approve(
    ada: User, edit: Callable[[dict[str, Any]], object], code: str
) -> None:
    with pytest.raises(PolicyDenied) as refused:
        apply(ada, edited(edit))
    assert refused.value.code == code
    assert not Tool.objects.filter(name="refund").exists()


def test_an_approver_applies_a_document_that_names_them_already(ada: User) -> None:
    apply(ada)
    tool = Tool.objects.get(name="refund")
    add_approver(actor=User.objects.create_superuser("eve"), tool=tool, approver=ada)
    again = apply(ada, edited(lambda d: d["tools"]["refund"]["approvers"]["people"].append("ada")))
    assert again.is_empty


def test_refusal_leaves_nothing_behind_and_names_the_place(ada: User) -> None:
    def break_it(document: dict[str, Any]) -> None:
        document["agents"]["desk-agent"]["grants"]["refund"] = {"decision": "ALLOW"}

    with pytest.raises(PolicyDenied, match=r"agents/desk-agent/grants/refund: .*irreversible"):
        apply(ada, edited(break_it))
    assert not Team.objects.filter(slug="desk").exists()


def test_preflight_is_part_of_applying(ada: User) -> None:
    def break_it(document: dict[str, Any]) -> None:
        document["tools"]["refund"].pop("approvers")
        document["versions"]["desk-agent"].pop("principal_source")

    with pytest.raises(ValidationFailed, match="versions/desk-agent: ") as refusal:
        apply(ada, edited(break_it), dry_run=True)
    assert {finding.code for finding in refusal.value.problems} == {"no_approver", "no_principal_source"}


def waived() -> str:
    """Return the document with a waiver for refunds."""
    end = (timezone.now() + timedelta(days=20)).replace(microsecond=0).isoformat()
    terms = {
        "decision": "ALLOW_WITH_CAPS",
        "caps": [{"per": "day", "count": 3, "amount": "50.00"}],
        "waiver": {"reason": "Small sums.", "expires_at": end},
    }
    return edited(lambda document: document["agents"]["desk-agent"]["grants"].update(refund=terms))


def test_a_signature_alone_is_told_as_what_it_is(cast: Cast, tmp_path: Path) -> None:
    apply(cast.ada)
    document, told = tmp_path / "waiver.yaml", StringIO()
    document.write_text(waived())
    call_command("apply", str(document), "--yes", stdout=told)
    assert told.getvalue().endswith("nothing to change\nsigned as ada\n")


def test_two_people_apply_a_waiver(cast: Cast) -> None:
    text = waived()
    apply(cast.ada)
    User.objects.filter(pk=cast.bob.pk).update(is_superuser=True)
    cast.bob.refresh_from_db()

    for _ in range(2):
        plan = apply(cast.ada, text)
        assert plan.is_empty
        assert "a second person has to apply it too" in str(plan)
    assert changed(apply(cast.bob, text)) == {"grant desk-agent → refund": "update"}
    grant = ToolGrant.objects.get(tool__name="refund", state="active")
    assert (grant.waived_by, grant.countersigned_by) == (cast.ada, cast.bob)
    assert apply(cast.ada, text).is_empty


def test_outsiders_and_machines_apply_nothing(cast: Cast) -> None:
    for actor in (cast.alice, cast.charlie, cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            apply(actor)


Governed = tuple[str, Callable[[Any], object], tuple[ModuleType, ...]]  # Any: a section, as YAML has it

# A section of the document, an edit in it, and the services whose checks stand in its way.
GOVERNED: dict[str, Governed] = {
    "permissions of a group": (
        "groups",
        lambda d: d["approvers"]["permissions"].append("auth.view_group"),
        (groups,),
    ),
    "a new group": ("groups", lambda d: d.update(others={}), (groups,)),
    "a person": ("people", lambda d: d.update(mallory={"staff": True}), (people,)),
    "oneself": ("people", lambda d: d.update(charlie={"superuser": True}), (people,)),
    "a team": ("teams", lambda d: d.update(ours={"name": "Ours"}), (teams,)),
    "a team's name": ("teams", lambda d: d["desk"].update(name="Ours"), (teams,)),
    "members": ("teams", lambda d: d["desk"]["members"].append("charlie"), (teams,)),
    "a tool": ("tools", lambda d: d.update(other=d["look_up"]), (catalogue, approvers)),
    "what a tool does": ("tools", lambda d: d["refund"].update(effect="read"), (catalogue, approvers)),
    "approvers": (
        "tools",
        lambda d: d["refund"]["approvers"]["people"].append("alice"),
        (catalogue, approvers),
    ),
    "a tool in service": ("tools", lambda d: d["refund"].update(state="quarantined"), (catalogue, approvers)),
    "a price": (
        "prices",
        lambda d: d["little-model"].update(version="2", input_usd_per_mtok="0.01"),
        (pricing,),
    ),
    "an agent": ("agents", lambda d: d["desk-agent"].update(owner="charlie"), (agents, grants)),
    "a grant": (
        "agents",
        lambda d: d["desk-agent"]["grants"].update(refund={"decision": "DENY"}),
        (agents, grants),
    ),
    "behaviour": ("versions", lambda d: d["desk-agent"].update(instructions="Pay."), (publishing,)),
    "an application": ("applications", lambda d: d["desk-app"].update(name="Mine"), (applications,)),
    "who may start runs": (
        "applications",
        lambda d: d.update({"my-app": {**d["desk-app"], "name": "Mine"}}),
        (applications,),
    ),
    "a budget": ("budgets", lambda d: d[0].update(max_usd="500.00"), (budgeting,)),
}


@pytest.mark.parametrize(("section", "edit", "guards"), GOVERNED.values(), ids=GOVERNED)
def test_who_lacks_the_permission_changes_nothing_and_without_the_check_would(
    cast: Cast,
    monkeypatch: pytest.MonkeyPatch,
    section: str,
    edit: Callable[[Any], object],
    guards: tuple[ModuleType, ...],
) -> None:
    apply(cast.ada)
    document = yaml.safe_load(BASE)
    edit(document[section])
    text = json.dumps({name: document[name] for name in ("format", "schemas", section)})
    owner = User.objects.get(username="hugo")  # of the agent, and a member of the team
    for actor in (cast.charlie, owner):
        with pytest.raises(PolicyDenied, match=section):
            apply(actor, text)
    assert apply(cast.ada).is_empty

    for guard in guards:
        monkeypatch.setattr(guard, "require", lambda *_: None)
    assert not apply(cast.charlie, text).is_empty


def test_team_governs_what_is_its_own(cast: Cast) -> None:
    text = """
        format: agentops/1
        tools:
          look_up:
            {team: support, description: Looks up., effect: read, idempotency: none, adapter: http,
             config: {method: GET, url: "http://127.0.0.1:9/"}, input_schema: {type: object}}
        agents:
          refunds-agent:
            {team: support, name: Refunds, purpose: Helps., owner: alice,
             grants: {look_up: {decision: ALLOW}}}
    """
    with pytest.raises(PolicyDenied, match="tools/look_up: not a member of team support"):
        apply(cast.charlie, textwrap.dedent(text))
    plan = apply(cast.alice, textwrap.dedent(text))
    assert list(changed(plan)) == ["tool look_up", "agent refunds-agent", "grant refunds-agent → look_up"]


@pytest.mark.parametrize(
    ("edit", "place"),
    [
        (lambda d: d.pop("format"), "format"),
        (lambda d: d.update(format="agentops/2"), "format"),
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d["agents"]["desk-agent"].pop("owner"), "agents/desk-agent"),
        (lambda d: d["agents"]["desk-agent"].update(owner="nobody"), "agents/desk-agent"),
        (lambda d: d["agents"]["desk-agent"].update(expires_at="tomorrow"), "agents/desk-agent/expires_at"),
        (lambda d: d["agents"]["desk-agent"].update(state="asleep"), "agents/desk-agent/state"),
        (lambda d: d["agents"]["desk-agent"]["grants"]["look_up"].update(decision="YES"), "grants/look_up"),
        (lambda d: d["agents"]["desk-agent"]["grants"].update(fly={"decision": "ALLOW"}), "grants/fly"),
        (lambda d: d["agents"]["desk-agent"]["grants"].update(look_up={}), "grants/look_up"),
        (
            lambda d: d["agents"]["desk-agent"]["grants"]["look_up"].update(approval_ttl_s=60.0),
            "grants/look_up",
        ),
        (lambda d: d["agents"]["desk-agent"]["grants"]["look_up"].update(veto_s=-1), "grants/look_up"),
        (lambda d: d["versions"]["desk-agent"]["budget"].update(max_usd=2.0), "budget/max_usd"),
        (lambda d: d["versions"]["desk-agent"]["budget"].update(max_usd="-2"), "budget/max_usd"),
        (lambda d: d["versions"]["desk-agent"]["budget"].update(max_steps=0), "budget/max_steps"),
        (lambda d: d["versions"]["desk-agent"].update(catalogue=["fly"]), "versions/desk-agent"),
        (lambda d: d["versions"].update({"no-agent": d["versions"]["desk-agent"]}), "versions/no-agent"),
        (lambda d: d["tools"]["refund"].update(team="nowhere"), "tools/refund"),
        (lambda d: d["tools"]["refund"].update(effect="harmless"), "tools/refund/effect"),
        (lambda d: d["tools"]["refund"].update(timeout_s=0), "tools/refund/timeout_s"),
        (lambda d: d["tools"]["refund"].update(dedupe_on=["colour"]), "tools/refund"),
        (lambda d: d["tools"]["refund"]["input_schema"].update(type="array"), "tools/refund"),
        (lambda d: d["tools"]["refund"]["approvers"].update(people=["nobody"]), "tools/refund"),
        (lambda d: d["tools"].update(ask_user=d["tools"]["look_up"]), "tools/ask_user"),
        (lambda d: d["people"]["gina"].update(password="secret"), "people/gina"),
        (lambda d: d["people"]["hugo"].update(password_from="SECRET_KEY"), "people/hugo"),
        (lambda d: d["people"]["hugo"].update(password_from="APPLY_UNSET"), "people/hugo"),
        (lambda d: d["people"]["hugo"].update(groups=["ghosts"]), "people/hugo"),
        (lambda d: d["groups"].update(ghosts={"permissions": ["no.such"]}), "groups/ghosts"),
        (lambda d: d["teams"]["desk"].update(members=["nobody"]), "teams/desk"),
        (lambda d: d["prices"]["little-model"].update(input_usd_per_mtok="free"), "prices/little-model"),
        (lambda d: d["prices"].update({"no-such-model": {"source": "genai-prices"}}), "prices/no-such-model"),
        (lambda d: d["applications"]["desk-app"].update(may_start=["no-agent"]), "applications/desk-app"),
        (lambda d: d["budgets"][1].update(agent="no-agent"), "budgets/1"),
        (lambda d: d["budgets"].append({"team": "desk", "window": "day"}), "budgets/2"),
        (
            lambda d: d["budgets"].append({"team": "desk", "window": "year", "max_steps": 1}),
            "budgets/2/window",
        ),
        (lambda d: d["tools"]["refund"].update(description="${SECRET_KEY}"), "/tools/refund/description"),
        (lambda d: d["tools"]["refund"].update(description="${APPLY_NOTHING}"), "/tools/refund/description"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(
    ada: User, edit: Callable[[dict[str, Any]], object], place: str
) -> None:
    with pytest.raises(AgentOpsError) as refusal:
        apply(ada, edited(edit))
    assert place in refusal.value.detail
    assert not Team.objects.filter(slug="desk").exists()
