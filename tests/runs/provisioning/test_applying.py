"""What a document sets up: all of it once, nothing twice, and every act in the ledger."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
import yaml

from agentops.errors import ValidationFailed
from agentops.ledger.models import Entry
from identities.models import AgentIdentity, Application, Team, User
from identities.services import activate_agent, suspend_agent
from runs.behaviour import FIELDS
from runs.models import AgentVersion, Budget, Price
from runs.provisioning import apply_document
from runs.provisioning.checking import SCHEMA_PATH
from tests.runs.provisioning.document import BASE, END, VARIABLES, apply, changed, edited
from tools.models import LintOverride, Tool, ToolVersion

pytestmark = [pytest.mark.setup, pytest.mark.slow]


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


def test_what_undoes_a_tool_is_there_before_it(ada: User) -> None:
    undo = {"kind": "compensable", "tool": "charge_again", "arguments": {}}

    def declare(document: dict[str, Any]) -> None:
        tools = document["tools"]
        tools["refund"]["undo"] = undo
        tools["charge_again"] = {
            **tools["look_up"],
            "effect": "reversible",
            "input_schema": {"type": "object"},
        }

    apply(ada, edited(declare))

    assert Tool.objects.get(name="refund").versions.get().undo == undo
    assert apply(ada, edited(declare)).is_empty


def test_what_shows_a_tool_is_there_before_it(ada: User) -> None:
    status = {"label": "Order", "type": "status", "before": "/status", "after": "refunded"}
    preview = {"tool": "show_order", "changes": [status]}

    def declare(document: dict[str, Any]) -> None:
        tools = document["tools"]
        shows = {**tools["look_up"], "input_schema": {"type": "object"}}
        shows.pop("output_schema", None)
        tools["refund"]["preview"] = preview
        tools["show_order"] = shows
        document["versions"]["desk-agent"]["catalogue"].append("show_order")
        document["agents"]["desk-agent"]["grants"]["show_order"] = {"decision": "ALLOW"}

    apply(ada, edited(declare))
    assert Tool.objects.get(name="refund").versions.get().preview == preview
    assert apply(ada, edited(declare)).is_empty


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


def test_a_tool_names_what_an_application_of_the_same_document_serves(ada: User) -> None:
    document = yaml.safe_load(BASE)
    resource = "https://refunds.example/api"
    document["applications"]["refund-server"] = {"team": "desk", "name": "Refunds", "audience": resource}
    document["tools"]["refund"]["config"] = {
        "method": "POST",
        "url": f"{resource}/refund",
        "audience": resource,
    }
    text = yaml.safe_dump(document)
    plan = apply_document(actor=ada, text=text, variables=VARIABLES)

    assert changed(plan)["application refund-server"] == "create"
    assert Application.objects.get(slug="refund-server").audience == resource
    assert Tool.objects.get(name="refund").versions.get().config["audience"] == resource
    assert apply_document(actor=ada, text=text, variables=VARIABLES).is_empty

    document["tools"]["refund"]["config"]["allow_private"] = True
    loosened = apply_document(actor=ada, text=yaml.safe_dump(document), variables=VARIABLES)
    assert "config.allow_private (loosens)" in str(loosened)


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


def test_draft_is_not_published(ada: User) -> None:
    text = edited(lambda document: document["versions"]["desk-agent"].update(state="draft"))

    apply(ada, text)
    assert AgentVersion.objects.get().state == "draft"
    assert changed(apply(ada)) == {"version desk-agent v1": "update"}
    assert AgentVersion.objects.get().state == "published"


def test_new_agent_is_heard_of_after_the_commit(ada: User, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        apply(ada)
    assert len(callbacks) == 1
    assert "runs.wake_agent" in repr(callbacks[0])


def test_a_document_says_who_else_answers_and_until_when(ada: User) -> None:
    def behind(**fields: str) -> str:
        def edit(document: dict[str, Any]) -> None:
            document["agents"]["desk-agent"].update(fields)
            document["versions"]["desk-agent"]["state"] = "draft"  # what is published acts

        return edited(edit)

    apply(ada, behind(sponsor="gina", recertify_by=END, state="draft"))
    agent = AgentIdentity.objects.select_related("sponsor").get(slug="desk-agent")
    assert agent.sponsor is not None
    assert (agent.sponsor.username, agent.state) == ("gina", "draft")
    assert agent.expires_at == agent.recertify_by
    assert apply(ada, behind(state="draft")).is_empty
    plan = apply(ada, behind(sponsor="gina", recertify_by="2098-01-01T00:00:00Z"))
    assert plan.is_empty
    assert "desk-agent is to be recertified by 2099-12-31: that stays" in str(plan)


def test_a_document_says_which_agents_others_may_find(ada: User) -> None:
    def exposed(**fields: Any) -> str:  # Any: YAML
        return edited(lambda document: document["agents"]["desk-agent"].update(fields))

    apply(ada, exposed(exposed=True))
    agent = AgentIdentity.objects.get(slug="desk-agent")
    assert agent.exposed
    assert apply(ada, exposed()).is_empty  # what it does not say stays
    apply(ada, exposed(exposed=False))
    agent.refresh_from_db()
    assert not agent.exposed


def test_a_tool_is_described_with_what_looks_up_for_it(ada: User) -> None:
    told = yaml.safe_load(BASE)
    told["tools"]["cancel"] = {  # before look_up in the alphabet, and after it in what is done
        **yaml.safe_load(BASE)["tools"]["look_up"],
        "effect": "reversible",
        "resolvers": {"order_id": {"tool": "look_up", "value": "line", "arguments": {"order_id": "all"}}},
    }
    text = yaml.safe_dump(told)
    apply_document(actor=ada, text=text, variables=VARIABLES)
    kept = ToolVersion.objects.get(tool__name="cancel").resolvers
    assert kept == told["tools"]["cancel"]["resolvers"]
    assert apply_document(actor=ada, text=text, variables=VARIABLES).is_empty


def test_what_lint_holds_against_a_tool_is_overridden_with_a_reason_or_stops_the_publication(
    ada: User,
) -> None:
    def widen(document: dict[str, Any]) -> None:
        document["tools"]["refund"]["input_schema"]["properties"]["meta"] = {"type": "object"}

    def override(document: dict[str, Any]) -> None:
        widen(document)
        document["tools"]["refund"]["lint_override"] = "The shop takes any object."

    with pytest.raises(ValidationFailed, match="any object fits"):
        apply(ada, edited(widen))
    plan = apply(ada, edited(override))
    assert "overridden: The shop takes any object." in str(plan)
    assert LintOverride.objects.get().by == ada
    assert apply(ada, edited(override)).is_empty


def test_everything_that_a_behaviour_is_can_be_applied(ada: User) -> None:
    """What the schema did not know could only be set by the services."""
    version = json.loads(SCHEMA_PATH.read_text())["$defs"]["version"]["properties"]
    assert {*version, *version["budget"]["properties"]} >= set(FIELDS)
    more = {
        "summarise": True, "model_roles": {"summarise": ["little-model"]}, "redact": ["card"],
        "memory": "auto", "memory_days": 7,
    }  # fmt: skip
    apply(ada, edited(lambda document: document["versions"]["desk-agent"].update(more)))
    assert AgentVersion.objects.values(*more).get() == more
