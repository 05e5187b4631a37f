"""Provisioning documents: what is read, what is refused and where, what is changed, and nothing twice."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
import yaml
from django.conf import LazySettings
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from identities.models import AgentIdentity, Application, Team, User
from identities.services import activate_agent, agents, applications, groups, people, suspend_agent, teams
from runs import budgeting, pricing, publishing
from runs.models import AgentVersion, Budget, Price
from runs.provisioning import Plan, apply_document
from tests.cast import Cast
from tools.models import Tool, ToolGrant
from tools.services import add_approver, approvers, catalogue, grants

BASE = """
format: agentops/1
groups:
  approvers: {permissions: [ledger.view_entry]}
people:
  gina: {groups: [approvers], password_from: APPLY_PASSWORD_GINA}
  hugo: {}
teams:
  desk: {name: Desk, members: [gina, hugo]}
schemas:
  money: {type: string, pattern: "^[0-9.]+$"}
  line: {type: object, properties: {price: {$ref: "#/$defs/money"}}}
  unused: {type: string}
tools:
  look_up:
    team: desk
    description: Looks an order up.
    effect: read
    idempotency: none
    adapter: http
    config: {method: GET, url: "${APPLY_SHOP:-http://127.0.0.1:9}/orders/{order_id}"}
    input_schema: {type: object, properties: {order_id: {type: string}}, required: [order_id]}
    output_schema: {type: object, properties: {line: {$ref: "#/$defs/line"}}}
  refund:
    team: desk
    description: Pays money back.
    statement: refund {amount} for {order_id}
    effect: irreversible
    idempotency: honours_key
    adapter: http
    config: {method: POST, url: "http://127.0.0.1:9/refund"}
    timeout_s: 3
    amount_argument: amount
    currency: USD
    dedupe_on: [order_id]
    approvers: {people: [gina], groups: [approvers]}
    input_schema:
      type: object
      properties: {order_id: {type: string}, amount: {$ref: "#/$defs/money"}}
prices:
  little-model: {version: "1", input_usd_per_mtok: "0.10", output_usd_per_mtok: "0.40"}
agents:
  desk-agent:
    team: desk
    name: Desk agent
    purpose: Helps.
    owner: hugo
    grants:
      look_up: {decision: ALLOW}
      refund: {decision: REQUIRE_APPROVAL, caps: [{per: day, amount: "100.00"}]}
versions:
  desk-agent:
    instructions: Help the customer.
    model: little-model
    principal_source: application
    catalogue: [refund, look_up]
    budget: {max_steps: 5, max_tokens: 1000, max_usd: "0.50", max_seconds: 30}
applications:
  desk-app: {team: desk, name: Desk app, may_assert_users: true, may_start: [desk-agent]}
budgets:
  - {team: desk, window: day, max_usd: "5.00"}
  - {team: desk, agent: desk-agent, window: day, max_usd: "2.50", max_steps: 100}
"""
VARIABLES = {"APPLY_PASSWORD_GINA": "correct horse battery"}


END = "2099-12-31T00:00:00+00:00"


def set_end(end: str) -> Callable[[dict[str, Any]], object]:
    """Return the edit that gives the agent an end."""
    return lambda document: document["agents"]["desk-agent"].update(expires_at=end)


def instruct(text: str) -> Callable[[dict[str, Any]], object]:
    """Return the edit that gives the agent's version these instructions."""
    return lambda document: document["versions"]["desk-agent"].update(instructions=text)


@pytest.fixture(autouse=True)
def _demo(settings: LazySettings) -> None:
    settings.DEMO = True  # Gina has no authenticator


@pytest.fixture
def ada(cast: Cast) -> User:
    return cast.ada


def apply(actor: User, text: str = BASE, **options: Any) -> Plan:
    return apply_document(actor=actor, text=text, variables=VARIABLES, **options)


def edited(edit: Callable[[dict[str, Any]], object]) -> str:
    """Return the base document with an edit."""
    document = yaml.safe_load(BASE)
    edit(document)
    return json.dumps(document)  # YAML too


def changed(plan: Plan) -> dict[str, str]:
    return {
        f"{change.kind} {change.name}": change.action
        for change in plan.changes
        if change.action != "unchanged"
    }


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


def test_document_sets_everything_up(ada: User) -> None:
    apply(ada)

    agent = AgentIdentity.objects.get(slug="desk-agent")
    version = agent.versions.get()
    assert (agent.state, agent.owner.username, agent.team.slug) == ("active", "hugo", "desk")
    assert (version.state, version.max_usd, version.published_by) == ("published", Decimal("0.5"), ada)
    order = AgentVersion.catalogue.through.objects.order_by("id").values_list(
        "toolversion__tool__name", flat=True
    )
    assert list(order) == ["refund", "look_up"]
    grants = {grant.tool.name: grant.decision for grant in agent.grants.all()}
    assert grants == {"look_up": "ALLOW", "refund": "REQUIRE_APPROVAL"}
    assert agent.service_account.has_perm("use_tool", Tool.objects.get(name="refund"))
    gina = User.objects.get(username="gina")
    assert gina.check_password(VARIABLES["APPLY_PASSWORD_GINA"])
    assert gina.has_perm("approve_calls", Tool.objects.get(name="refund"))
    assert gina.has_perm("ledger.view_entry")
    assert not User.objects.get(username="hugo").has_usable_password()
    application = Application.objects.get(slug="desk-app")
    assert application.service_account.has_perm("start_run", agent)
    assert Price.objects.get(model="little-model").cached_input_usd_per_mtok == Decimal("0.10")
    assert Budget.objects.get(identity=agent).max_usd == Decimal("2.5")


def test_second_time_there_is_nothing_to_change(ada: User) -> None:
    apply(ada)
    entries = Entry.objects.count()

    plan = apply(ada)
    assert plan.is_empty
    assert str(plan) == "nothing to change"
    assert Entry.objects.count() == entries


def test_every_act_is_in_the_ledger(ada: User) -> None:
    apply(ada)

    kinds = set(Entry.objects.filter(actor=ada.id).values_list("kind", flat=True))
    assert kinds >= {
        "agent.created",
        "agent.activated",
        "application.created",
        "application.start_allowed",
        "approver.added",
        "budget.set",
        "document.applied",
        "grant.set",
        "person.created",
        "price.set",
        "team.created",
        "team.members_changed",
        "tool.created",
        "tool.version_added",
        "version.drafted",
        "version.published",
    }
    assert not Entry.objects.filter(facts__icontains="gina").exists()


def test_dry_run_shows_the_same_and_changes_nothing(
    ada: User, django_capture_on_commit_callbacks: Any
) -> None:
    before = Entry.objects.count()

    with django_capture_on_commit_callbacks() as callbacks:
        shown = apply(ada, dry_run=True)
    assert callbacks == []
    assert not Team.objects.filter(slug="desk").exists()
    assert Entry.objects.count() == before
    assert str(apply(ada)) == str(shown)


def test_shared_schemas_come_along_as_far_as_needed(ada: User) -> None:
    apply(ada)

    output = Tool.objects.get(name="look_up").versions.get().output_schema
    assert output is not None
    assert set(output["$defs"]) == {"line", "money"}


def test_variables_fill_texts(ada: User) -> None:
    apply(ada)
    assert Tool.objects.get(name="look_up").versions.get().config["url"].startswith("http://127.0.0.1:9/")

    plan = apply_document(actor=ada, text=BASE, variables={**VARIABLES, "APPLY_SHOP": "https://shop.example"})
    assert changed(plan) == {"tool look_up": "update", "version desk-agent v2": "create"}
    assert "config.url: http://127.0.0.1:9/orders/{order_id} → https://shop.example/orders/{order_id}" in str(
        plan
    )


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda d: d["teams"]["desk"].update(name="Help desk"), {"team desk": "update"}),
        (lambda d: d["teams"]["desk"].update(members=["hugo"]), {"team desk": "update"}),
        (lambda d: d["groups"]["approvers"].update(permissions=[]), {"group approvers": "update"}),
        (lambda d: d["people"]["hugo"].update(staff=False), {"person hugo": "update"}),
        (lambda d: d["agents"]["desk-agent"].update(purpose="Helps a lot."), {"agent desk-agent": "update"}),
        (lambda d: d["agents"]["desk-agent"].update(state="suspended"), {"agent desk-agent": "update"}),
        (
            lambda d: d["agents"]["desk-agent"]["grants"].update(look_up={"decision": "DENY"}),
            {"grant desk-agent → look_up": "update"},
        ),
        (
            lambda d: d["agents"]["desk-agent"]["grants"].update(look_up={"state": "revoked"}),
            {"grant desk-agent → look_up": "update"},
        ),
        (
            lambda d: d["versions"]["desk-agent"].update(instructions="Help more."),
            {"version desk-agent v2": "create"},
        ),
        (
            lambda d: d["versions"].update({"desk-agent": {"state": "retired"}}),
            {"version Desk agent v1": "update"},
        ),
        (
            lambda d: d["tools"]["look_up"].update(timeout_s=2.5),
            {"tool look_up": "update", "version desk-agent v2": "create"},
        ),
        (lambda d: d["tools"]["refund"].update(state="quarantined"), {"tool refund": "update"}),
        (
            lambda d: d["applications"]["desk-app"].update(may_assert_users=False),
            {"application desk-app": "update"},
        ),
        (lambda d: d["applications"]["desk-app"].update(state="revoked"), {"application desk-app": "update"}),
        (
            lambda d: d["prices"]["little-model"].update(version="2", output_usd_per_mtok="0.50"),
            {"price little-model": "update"},
        ),
        (lambda d: d["budgets"][0].update(max_usd="6.00"), {"budget Desk per day": "update"}),
    ],
)
def test_what_differs_is_changed_and_then_settled(
    ada: User, edit: Callable[[dict[str, Any]], object], expected: dict[str, str]
) -> None:
    apply(ada)
    text = edited(edit)

    assert changed(apply(ada, text)) == expected
    assert apply(ada, text).is_empty


def test_leaving_something_out_removes_nothing(ada: User) -> None:
    apply(ada)

    def leave_out(document: dict[str, Any]) -> None:
        del document["agents"]["desk-agent"]["grants"]["refund"]
        document["applications"]["desk-app"]["may_start"] = []
        document["tools"]["refund"]["approvers"] = {}
        del document["tools"]["look_up"], document["people"]["gina"], document["budgets"]
        document["teams"]["desk"].pop("members")
        del document["versions"]

    plan = apply(ada, edited(leave_out))
    assert plan.is_empty
    notes = "\n".join(plan.notes)
    for left in ("also granted refund", "person gina", "group approvers", "also start desk-agent"):
        assert left in notes
    assert "that stays" in str(plan)
    assert ToolGrant.objects.filter(state="active").count() == 2


def test_an_end_and_ceilings_that_are_left_out_stay(ada: User) -> None:
    apply(ada, edited(set_end(END)))

    plan = apply(ada, edited(lambda document: document["budgets"][1].pop("max_usd")))
    assert plan.is_empty
    assert AgentIdentity.objects.get(slug="desk-agent").expires_at is not None
    assert Budget.objects.get(identity__slug="desk-agent").max_usd == Decimal("2.50")


def test_only_null_takes_an_end_or_a_ceiling_away_and_the_plan_says_that_it_loosens(ada: User) -> None:
    apply(ada, edited(set_end(END)))

    def take_away(document: dict[str, Any]) -> None:
        document["agents"]["desk-agent"]["expires_at"] = None
        document["budgets"][1]["max_usd"] = None

    shown = str(apply(ada, edited(take_away)))
    assert f"expires_at (loosens): {END} → (none)" in shown
    assert "max_usd (loosens): 2.5 → (none)" in shown
    assert AgentIdentity.objects.get(slug="desk-agent").expires_at is None
    budget = Budget.objects.get(identity__slug="desk-agent")
    assert (budget.max_usd, budget.max_steps) == (None, 100)


def test_a_budget_keeps_one_ceiling_at_least(ada: User) -> None:
    apply(ada)
    with pytest.raises(ValidationFailed, match="budgets/0: "):
        apply(ada, edited(lambda document: document["budgets"][0].update(max_usd=None)))


def test_long_instructions_that_differ_at_the_end_show_where(ada: User) -> None:
    lines = [f"{number:03} {'Be kind to the customer. ' * 4}" for number in range(20)]
    texts = ["\n".join([*lines, last]) for last in ("Never refund twice.", "Refund whatever is asked for.")]
    assert all(len(text) > 2000 for text in texts)

    apply(ada, edited(instruct(texts[0])))
    shown = str(apply(ada, edited(instruct(texts[1])), dry_run=True))

    assert "-Never refund twice.\n      +Refund whatever is asked for." in shown
    assert lines[0] not in shown, "only what differs, and the line before it"


def test_a_further_version_shows_what_it_replaces(ada: User) -> None:
    apply(ada)

    def loosen(document: dict[str, Any]) -> None:
        document["versions"]["desk-agent"]["budget"].update(max_usd="0.75", max_steps=4)
        document["versions"]["desk-agent"]["catalogue"].remove("refund")

    shown = str(apply(ada, edited(loosen)))
    assert "+ version desk-agent v2: create" in shown
    assert "max_usd (loosens): 0.5 → 0.75" in shown
    assert "max_steps: 5 → 4" in shown
    assert "catalogue: refund v1, look_up v1 → look_up v1" in shown


def test_a_plan_that_differs_only_far_down_in_a_text_is_another(ada: User) -> None:
    texts = [edited(instruct("x" * 2000 + end)) for end in ("a", "b")]
    plan = apply(ada, texts[0], dry_run=True)

    with pytest.raises(StateConflict, match="plan_changed"):
        apply(ada, texts[1], expected=plan)


def test_a_plan_with_people_it_creates_itself_still_holds(ada: User) -> None:
    plan = apply(ada, dry_run=True)

    assert apply(ada, expected=plan) == plan


def test_operators_word_stands_against_a_document_that_says_nothing(ada: User) -> None:
    apply(ada)
    agent = AgentIdentity.objects.get(slug="desk-agent")
    suspend_agent(actor=ada, agent=agent)

    assert apply(ada).is_empty
    agent.refresh_from_db()
    assert agent.state == "suspended"
    activate_agent(actor=ada, agent=agent)


def test_password_is_set_with_the_account_only(ada: User) -> None:
    apply(ada)
    User.objects.filter(username="gina").update(password="!")

    plan = apply_document(actor=ada, text=BASE, variables={})
    assert plan.is_empty


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


def test_draft_is_not_published(ada: User) -> None:
    text = edited(lambda document: document["versions"]["desk-agent"].update(state="draft"))

    apply(ada, text)
    assert AgentVersion.objects.get().state == "draft"
    assert changed(apply(ada)) == {"version desk-agent v1": "update"}
    assert AgentVersion.objects.get().state == "published"


def test_two_people_apply_a_waiver(cast: Cast) -> None:
    end = (timezone.now() + timedelta(days=20)).replace(microsecond=0).isoformat()
    terms = {
        "decision": "ALLOW_WITH_CAPS",
        "caps": [{"per": "day", "count": 3, "amount": "50.00"}],
        "waiver": {"reason": "Small sums.", "expires_at": end},
    }
    text = edited(lambda document: document["agents"]["desk-agent"]["grants"].update(refund=terms))
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


def test_plan_that_no_longer_holds_is_not_applied(ada: User) -> None:
    plan = apply(ada, dry_run=True)
    Team.objects.create(slug="desk", name="Something else")

    with pytest.raises(StateConflict, match="plan_changed"):
        apply(ada, expected=plan)
    assert Team.objects.get(slug="desk").name == "Something else"


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


def test_public_price_of_a_model(ada: User) -> None:
    text = "format: agentops/1\nprices: {gpt-5-mini: {source: genai-prices}}"

    assert changed(apply(ada, text)) == {"price gpt-5-mini": "create"}
    assert apply(ada, text).is_empty
    price = Price.objects.get(model="gpt-5-mini")
    assert price.input_usd_per_mtok > 0
    assert price.version.startswith("genai-prices ")


def test_price_is_never_edited(ada: User) -> None:
    apply(ada)
    text = edited(lambda d: d["prices"]["little-model"].update(output_usd_per_mtok="9.00"))
    with pytest.raises(ValidationFailed, match="price_version_reused"):
        apply(ada, text)


def test_earlier_price_comes_back_under_its_version(ada: User) -> None:
    apply(ada)
    later = edited(lambda d: d["prices"]["little-model"].update(version="2", output_usd_per_mtok="0.50"))
    apply(ada, later)
    apply(ada)

    assert Price.objects.get(model="little-model", active=True).version == "1"
    assert Price.objects.filter(model="little-model").count() == 2


def test_new_agent_is_heard_of_after_the_commit(ada: User, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        apply(ada)
    assert len(callbacks) == 1
    assert "runs.wake_agent" in repr(callbacks[0])
