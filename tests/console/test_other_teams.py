"""Nobody sees another team's rows: every page of the console and every read of the API, asked by an outsider."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agentops.ledger.models import Stream
from approvals.models import (
    ApprovalBatch,
    ApprovalRule,
    DenialReasons,
    OversightRule,
    ReviewCapacity,
    SamplingRule,
)
from identities.changes import do_or_propose, set_rule
from identities.models import ChangeRule
from identities.services import add_issuer, suspend_agent
from runs.models import Example, Handover
from runs.stops import stop
from tests.api.caller import Caller, bearer_of
from tests.asking import asked_confirmation, asked_extension, kept_note, parked_letter
from tests.cast import Cast
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
    ApprovalRequestFactory,
    BudgetFactory,
    PrincipalFactory,
    RunFactory,
    ToolVersionFactory,
)
from tests.factories.runs import change_set_of
from tests.identities.test_roles import with_role
from tests.tools.tables import eligibility, make_table, publish
from tests.verbs import (
    ASK,
    absence_of,
    channel_of,
    delegation_to,
    delivery_of,
    evaluation_of,
    granted,
    key_of,
    key_set_of,
    listed_by,
    open_campaign,
    run_of,
    schedule_of,
    second_look_of,
    secret_of,
    switch_of,
    table_of,
    tool_of,
)
from tools.models import ToolServer, UserTerms
from tools.services import set_user_terms

pytestmark = [pytest.mark.console, pytest.mark.slow]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
# Belongs to the installation: what groups there are, what models cost, public keys. Nothing of a team's is in it.
SHARED = {"auth.group", "runs.price", "identities.signingkey"}
# A form about oneself, whoever asks for it.
OWN = {"approvals.mailpreference"}


def handover(cast: Cast) -> Handover:
    made: Handover = Handover.objects.create(run=run_of(cast), step=1, call=1, opened_at=timezone.now())
    return made


def issuer(cast: Cast) -> Model:
    account = cast.application.service_account
    return add_issuer(actor=cast.ada, client=account, issuer="https://login.example", audience="shop")


def stream(cast: Cast) -> Stream:
    suspend_agent(actor=cast.ada, agent=cast.agent)
    return Stream.objects.get(pk=cast.agent.pk)


def rule(cast: Cast) -> ChangeRule:
    made = set_rule(actor=cast.ada, verb="price.set", team=cast.team, needs="two")
    assert made is not None
    return made


def proposal(cast: Cast) -> Any:  # Any: what was done, or proposed
    rule(cast)
    loosen = partial(set_rule, actor=cast.ada, verb="price.set", team=cast.team, needs="one")
    return do_or_propose(actor=cast.ada, act=loosen, reason="Faster.")


def user_terms(cast: Cast) -> UserTerms:
    return set_user_terms(actor=cast.ada, tool=tool_of(cast), principal=None, terms=ASK)


ROWS: dict[str, Callable[[Cast], Model]] = {
    "approvals.absence": absence_of,
    "approvals.noticechannel": channel_of,
    "approvals.noticedelivery": delivery_of,
    "approvals.approvalrule": lambda cast: ApprovalRule.objects.create(
        team=cast.team, place=1, name="Two", stages=[{"needed": 2}], created_by=cast.alice
    ),
    "approvals.denialreasons": lambda cast: DenialReasons.objects.create(
        team=cast.team, reasons=[], set_by=cast.alice, set_at=timezone.now()
    ),
    "approvals.samplingrule": lambda cast: SamplingRule.objects.create(
        team=cast.team, effect="reversible", at_least=5, percent=10, seed="5" * 32, created_by=cast.alice
    ),
    "approvals.oversightrule": lambda cast: OversightRule.objects.create(
        team=cast.team, second_percent=10, seed="5" * 32, created_by=cast.alice
    ),
    "approvals.secondlook": second_look_of,
    "approvals.approvalrequest": lambda cast: ApprovalRequestFactory.create(identity=cast.agent),
    "approvals.reviewcapacity": lambda cast: ReviewCapacity.objects.create(
        team=cast.team, per_approver_hour=10, set_by=cast.alice, set_at=timezone.now()
    ),
    "identities.agentidentity": lambda cast: cast.agent,
    "identities.apikey": key_of,
    "identities.application": lambda cast: cast.application,
    "identities.changeproposal": proposal,
    "identities.changerule": rule,
    "identities.credential": key_set_of,
    "identities.delegation": delegation_to,
    "identities.killswitch": switch_of,
    "identities.principal": lambda cast: PrincipalFactory.create(team=cast.team),
    "identities.secret": secret_of,
    "identities.team": lambda cast: cast.team,
    "identities.tokenissuer": issuer,
    "identities.user": lambda cast: cast.bob,
    "ledger.stream": stream,
    "runs.agentversion": lambda cast: AgentVersionFactory.create(identity=cast.agent),
    "runs.budget": lambda cast: BudgetFactory.create(team=cast.team),
    "runs.campaign": lambda cast: open_campaign(cast, cast.ada),
    "runs.changeset": lambda cast: change_set_of(run_of(cast)),
    "runs.deadletter": lambda cast: parked_letter(RunFactory.create(agent_version__identity=cast.agent)),
    "runs.evaluationset": lambda cast: evaluation_of(cast).evaluation_set,
    "runs.example": lambda cast: Example.objects.create(
        run=run_of(cast), verdict="approved", steps=[1], decided_by=cast.alice, decided_at=timezone.now()
    ),
    "runs.extension": lambda cast: asked_extension(cast, run_of(cast)),
    "runs.handover": handover,
    "runs.memory": lambda cast: kept_note(RunFactory.create(agent_version__identity=cast.agent)),
    "runs.run": run_of,
    "runs.schedule": schedule_of,
    "tools.decisiontable": lambda cast: table_of(cast).table,
    "tools.toolserver": lambda cast: ToolServer.objects.create(
        team=cast.team, slug="shop", transport="http", url="https://shop.example/mcp"
    ),
    "runs.stop": lambda cast: stop(
        actor=cast.ada, scope="credential", target=str(key_of(cast).pk), reason="It leaked."
    ),
    "tools.tool": tool_of,
    "tools.toolgrant": granted,
    "tools.userterms": user_terms,
}


def test_every_page_has_a_line() -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == set(ROWS) | SHARED | OWN


def shows(client: Client, path: str, row: Model, **query: str) -> bool:
    """Return whether a page names the row or its team."""
    answer = client.get(path, query)
    page = answer.content.decode() if answer.status_code == 200 else ""
    return str(row.pk) in page or "Support" in page or "Refunds-Agent" in page


@pytest.mark.parametrize("label", ROWS)
def test_an_outsider_finds_nothing_of_another_team(cast: Cast, label: str) -> None:
    row, model = ROWS[label](cast), label.replace(".", "_")
    charlie, ada = sign_in(cast.charlie), sign_in(cast.ada)
    page = page_of(model, "change", row.pk)
    assert shows(ada, page, row) or shows(ada, page_of(model, "changelist"), row), "it is there to be found"
    for path in (
        page_of(model, "changelist"),
        page_of(model, "history", row.pk),
        page,
        reverse("admin:index"),
    ):
        assert not shows(charlie, path, row), path
    for asked in ("support", "refunds", "bob", "shop"):
        assert not shows(charlie, page_of(model, "changelist"), row, q=asked)
    assert charlie.get(page)["Location"] == "/admin/"


def test_nothing_completes_names_for_outsiders() -> None:
    assert not [
        page for page in admin.site._registry.values() if page.autocomplete_fields or page.raw_id_fields
    ]


def test_an_outsider_who_stands_among_the_actions_moves_nothing(cast: Cast) -> None:
    charlie = sign_in(cast.charlie)
    for model, page in admin.site._registry.items():
        label = model._meta.label_lower
        if label in SHARED | OWN or not page.actions:
            continue
        row = ROWS[label](cast)
        before = apps.get_model(label)._default_manager.filter(pk=row.pk).values().get()
        for action in page.actions:
            form = {"action": str(action), "_selected_action": [str(row.pk)], "index": "0", "confirmed": "1",
                    "reason": "because"}  # fmt: skip
            charlie.post(page_of(label.replace(".", "_"), "changelist"), form)
        assert apps.get_model(label)._default_manager.filter(pk=row.pk).values().get() == before, label


def reads() -> list[str]:
    """Return the addresses that the API's document says can be read."""
    paths: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())["paths"]
    return [path.removeprefix("/api/v1") for path, methods in paths.items() if "get" in methods]


def test_the_api_tells_an_outsider_nothing(cast: Cast) -> None:
    asked, run = ROWS["approvals.approvalrequest"](cast), handover(cast).run
    ids = {"agent_id": cast.agent, "approval_id": asked, "run_id": run, "tool_id": tool_of(cast)}
    ids["campaign_id"] = open_campaign(cast, cast.ada)
    ids["batch_id"] = ApprovalBatch.objects.create(
        person=cast.fiona, verdict="deny", created_at=timezone.now()
    )
    ids["application_id"], ids["key_set_id"] = cast.application, key_set_of(cast)
    ids["api_key_id"] = key_of(cast)
    ids["absence_id"] = absence_of(cast)
    ids["schedule_id"] = schedule_of(cast)
    ids["change_set_id"] = change_set_of(run)
    ids["delivery_id"] = delivery_of(cast)
    ids["webhook_id"] = channel_of(cast)
    ids["handover_id"] = Handover.objects.get(run=run)
    tried = evaluation_of(cast)
    ids["set_id"], ids["evaluation_id"] = tried.evaluation_set, tried
    ids["letter_id"] = parked_letter(run)
    ids["memory_id"] = kept_note(run)
    ids["extension_id"] = asked_extension(cast, run)
    ids["confirmation_id"] = asked_confirmation(cast, ToolVersionFactory.create(tool__team=cast.team))
    ids["proposal_id"] = proposal(cast)
    ids["stop_id"] = stop(actor=cast.ada, scope="run", target=str(run.pk), reason="It is wrong.")
    listed = listed_by(cast)
    ids["server_id"], ids["server_tool_id"] = listed.server, listed
    version = publish(cast, make_table(cast, by=cast.ada), eligibility())
    ids["table_id"] = version.table
    charlie = Caller(bearer_of(cast, cast.charlie))
    told = {}
    for path in reads():
        address = re.sub(
            r"\{(\w+)\}", lambda found: "1" if found[1] == "number" else str(ids[found[1]].pk), path
        )
        answer = charlie.get(address)
        if answer.status not in (403, 404) and answer.body.get("data") != []:
            told[address] = answer.body
    assert told == {}
    assert charlie.get(f"/runs/{uuid4()}").code == charlie.get(f"/runs/{run.pk}").code, "the two look alike"


def test_an_auditor_sees_their_own_teams_only(cast: Cast) -> None:
    auditor = sign_in(with_role(cast, "auditor"))
    assert "Refunds-Agent" in text_of(auditor.get(page_of("identities_agentidentity", "changelist")))
    cast.team.members.clear()
    assert "Refunds-Agent" not in text_of(auditor.get(page_of("identities_agentidentity", "changelist")))
