"""A run calls a tool at a resource of its team: the server knows who calls, for whom, and what, by a token alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from django.test import Client as Browser

from agentops.errors import ValidationFailed
from identities.models import Principal
from identities.oauth.compact import TokenRefused
from identities.oauth.signing_keys import keeper
from identities.oauth.standing import check_standing
from identities.oauth.tokens import draft_token, read_token, sign_token
from identities.services import (
    declare_resource,
    issue_api_key,
    revoke_agent,
    revoke_application,
    throw_switch,
)
from identities.services.signing_keys import ensure_signing_key
from runs.models import Run
from runs.stops import stop
from tests.authority.conftest import Desk
from tests.factories import ApplicationFactory
from tests.identities.secrets import make_secret
from tests.oauth.clients import claims_of, give_secret
from tests.oauth.tool_server import ToolServer, serve_tool
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tools.models import ToolVersion
from tools.services.catalogue import add_version
from tools.services.definition import definition_of

pytestmark = pytest.mark.tokens


def published() -> dict[str, Any]:
    keys: dict[str, Any] = Browser().get("/oauth/jwks").json()
    return keys


@pytest.fixture
def shop(company: Company) -> Iterator[ToolServer]:
    """Provide a tool's server that asks whether a token counts, and the application that serves it."""
    keeper.forget()
    ensure_signing_key()
    served = ApplicationFactory.create(team=company.cast.team, slug="refund-tool")
    client = give_secret(company.cast.alice, served.service_account)

    def introspect(token: str) -> bool:
        return bool(client.post("/oauth/introspect", token=token, consume="true").json()["active"])

    with serve_tool(published, introspect, user=SUBJECT, tool="refund") as shop:
        declare_resource(actor=company.cast.alice, application=served, audience=shop.address)
        yield shop
    keeper.forget()


def add_refund(company: Company, shop: ToolServer, **changes: Any) -> ToolVersion:
    config = {
        "method": "POST",
        "url": f"{shop.address}/refund",
        "audience": shop.address,
        "allow_private": True,
    }
    return company.add_tool("refund", adapter="http", config=config, **changes)


def call_once(company: Company) -> Run:
    return company.run(proposes(("refund", ORDER)), says("Done."))


def test_each_attempt_carries_a_fresh_token_for_the_same_call(company: Company, shop: ToolServer) -> None:
    add_refund(company, shop)
    shop.mishaps = [503]
    run = call_once(company)

    assert company.states(run) == [("succeeded", "ok")]
    first, second = (claims_of(shown.token) for shown in shop.shown)
    assert first["jti"] != second["jti"]
    assert first["authorization_details"] == second["authorization_details"]
    agent = company.cast.agent.service_account.username
    assert (second["sub"], second["principal_issuer"], second["aud"]) == (SUBJECT, ISSUER, shop.address)
    assert (second["act"], second["principal_proof"]) == ({"sub": agent}, "asserted")
    assert second["exp"] - second["iat"] <= 60
    assert len({shown.key for shown in shop.shown}) == 1
    assert all(run.trace_id in shown.headers["traceparent"] for shown in shop.shown)


def test_a_child_names_those_on_whose_behalf_it_acts(company: Company, shop: ToolServer) -> None:
    add_refund(company, shop)
    desk = Desk(company)
    company.publish()
    agents = [desk.hire(grants={"refund": {"decision": "ALLOW"}}) for _ in range(2)]
    run = company.start()
    for agent in agents:
        run = desk.start(agent, parent=run)
    stood: list[object] = []
    shop.meanwhile = lambda key: stood.append(check_standing(read_token(copy_of(shop.shown[-1].token))))
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.drive(run)
    assert (company.states(run), len(stood)) == ([("succeeded", "ok")], 1)
    (shown,) = shop.shown
    second, first = (agent.service_account.username for agent in reversed(agents))
    root = company.cast.agent.service_account.username
    claims = claims_of(shown.token)
    assert claims["act"] == {"sub": second, "act": {"sub": first, "act": {"sub": root}}}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user": "customer-2"}, "user"),
        ({"tool": "cancel"}, "call"),
        ({"arguments": {"order_id": "A-2"}}, "call"),
        ({"key": "another"}, "call"),
        ({}, "replay"),
        ({"audience": "http://127.0.0.1:1"}, "token"),
    ],
)
def test_what_was_sent_opens_nothing_else(
    company: Company, shop: ToolServer, changes: dict[str, Any], reason: str
) -> None:
    add_refund(company, shop)
    call_once(company)
    (shown,) = shop.shown
    call = {"user": SUBJECT, "tool": "refund", "key": shown.key, "arguments": shown.arguments, **changes}
    judge = replace(shop.judge, audience=call.pop("audience", shop.address))

    assert judge.refuse(shown.token, **call) == reason


STOPS = ["run", "agent", "tool", "application", "principal", "credential", "provider", "everything"]


def stop_by(company: Company, scope: str, run: Run) -> None:
    """Stop what a run's call depends on."""
    targets = {
        "run": run.pk, "agent": run.identity_id, "tool": company.versions[0].tool_id, "everything": "",
        "application": run.application_id, "provider": "openai", "principal": run.principal_id,
        "credential": run.credential_id,
    }  # fmt: skip
    stop(actor=company.cast.ada, scope=scope, target=str(targets[scope]), reason="It goes wrong.")


def show_late(company: Company, shop: ToolServer, scope: str, *, of_child: bool = False) -> tuple[str, str]:
    """Show the server the token of a call, minted in its run's life, before and after a stop; return its refusals."""
    add_refund(company, shop)
    key, _ = issue_api_key(
        actor=company.cast.ada, user=company.cast.application.service_account, label="shop"
    )
    company.publish()
    run = above = company.start(credential=key)
    if of_child:
        desk = Desk(company)
        run = desk.start(desk.hire(grants={"refund": {"decision": "ALLOW"}}), parent=above)
    told: list[str] = []
    both = Event()

    def ask() -> None:
        # As a worker that was held up would send it: another of its attempt's tokens.
        told.append(shop.judge.refuse(copy_of(shop.shown[-1].token), **call))

    def stop_between(key: str) -> None:
        call["key"], shop.meanwhile = key, None
        ask()
        stop_by(company, scope, above)
        ask()
        both.set()

    call: dict[str, Any] = {"user": SUBJECT, "tool": "refund", "arguments": ORDER}
    shop.meanwhile = stop_between
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.drive(run)
    assert both.wait(60), "the run need not wait for the answer of a call that was stopped"
    before, after = told
    return before, after


def copy_of(token: str) -> str:
    """Return another token that says the same, under an identifier of its own."""
    return sign_token(replace(read_token(token), jti=uuid.uuid4().hex))


@pytest.mark.parametrize("scope", STOPS)
def test_a_stop_counts_at_a_server_that_asks(company: Company, shop: ToolServer, scope: str) -> None:
    assert show_late(company, shop, scope) == ("", "inactive")


@pytest.mark.parametrize("scope", STOPS)
def test_a_stop_counts_for_the_calls_of_children_too(company: Company, shop: ToolServer, scope: str) -> None:
    assert show_late(company, shop, scope, of_child=True) == ("", "inactive")


def test_without_its_runs_right_a_stopped_run_would_still_be_served(
    company: Company, shop: ToolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: a token is judged by its agent and its user alone."""
    monkeypatch.setattr("identities.oauth.standing._checks", [])
    assert show_late(company, shop, "run") == ("", "")


def test_a_call_of_a_run_that_has_ended_counts_nowhere(company: Company, shop: ToolServer) -> None:
    add_refund(company, shop)
    call_once(company)
    with pytest.raises(TokenRefused, match="run_ended"):
        check_standing(read_token(shop.shown[0].token))


def test_a_call_of_a_run_that_nobody_knows_counts_nowhere(company: Company, shop: ToolServer) -> None:
    add_refund(company, shop)
    call_once(company)
    token = replace(read_token(shop.shown[0].token), run=uuid.uuid4())
    with pytest.raises(TokenRefused, match="run_unknown"):
        check_standing(token)


@pytest.mark.parametrize("stopped_by", ["revoked agent", "principal", "everything"])
def test_a_token_counts_no_more_once_its_agent_or_user_is_stopped(
    company: Company, shop: ToolServer, stopped_by: str
) -> None:
    add_refund(company, shop)
    call_once(company)
    said = claims_of(shop.shown[0].token)
    # As a worker that was held up would send it.
    late = draft_token(
        client_id=said["client_id"], subject=SUBJECT, principal_issuer=ISSUER, audience=shop.address,
        scope=frozenset({said["scope"]}), epoch=said["epoch"], details=tuple(said["authorization_details"]),
    )  # fmt: skip
    if stopped_by == "revoked agent":
        revoke_agent(actor=company.cast.alice, agent=company.cast.agent)
    else:
        target = str(Principal.objects.get(subject=SUBJECT).pk) if stopped_by == "principal" else ""
        throw_switch(actor=company.cast.ada, scope=stopped_by, target=target, reason="Fire.")
    shown = shop.shown[0]

    call: dict[str, Any] = {
        "user": SUBJECT, "tool": "refund", "key": shown.key, "arguments": shown.arguments
    }  # fmt: skip
    assert shop.judge.refuse(sign_token(late), **call) == "inactive"


def test_a_callers_own_token_never_reaches_the_tool(company: Company, shop: ToolServer) -> None:
    cast = company.cast
    add_refund(company, shop)
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.publish()
    _, key = issue_api_key(actor=cast.alice, user=cast.application.service_account, label="shop")
    started = Browser().post(
        "/api/v1/runs",
        {"agent": cast.agent.slug, "message": "Hi.", "principal": {"issuer": ISSUER, "subject": SUBJECT}},
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex},
    )
    assert started.status_code == 201, started.content
    company.drive(Run.objects.get())

    (shown,) = shop.shown
    assert shown.refusal == ""
    assert key not in str(shown.headers)


@pytest.mark.parametrize("lost_by", ["undeclared", "revoked"])
def test_without_a_reader_nothing_goes_out_and_the_trace_says_so(
    company: Company, shop: ToolServer, lost_by: str
) -> None:
    cast = company.cast
    add_refund(company, shop)
    served = cast.team.applications.get(audience=shop.address)
    if lost_by == "undeclared":
        declare_resource(actor=cast.alice, application=served, audience=None)
    else:
        revoke_application(actor=cast.alice, application=served)
    run = call_once(company)

    assert company.states(run) == [("refused", "audience_unserved")]
    assert shop.shown == []
    (refused,) = company.facts(run, "call.refused")
    assert refused["reasons"][-1]["code"] == "audience_unserved"


def test_only_what_the_team_serves_is_named_and_only_at_its_own_address(
    company: Company, shop: ToolServer
) -> None:
    version = add_refund(company, shop)
    definition = definition_of(version)
    elsewhere = ApplicationFactory.create(audience="http://127.0.0.1:2")
    make_secret(company.cast, slug="bearer")
    wrong: list[tuple[dict[str, Any], str]] = [
        (
            {"audience": elsewhere.audience, "url": elsewhere.audience},
            "what an active application of the tool's team",
        ),
        ({"url": "http://127.0.0.1:3/refund"}, "to the audience's own scheme, host and port"),
        ({"read_back": {"url": "http://127.0.0.1:3/{idempotency_key}"}}, "to the audience's own scheme"),
        ({"audience": 7}, "set audience to the address"),
        ({"credential": "bearer"}, "not both"),
    ]
    for changes, words in wrong:
        changed = replace(definition, config={**definition.config, **changes})
        with pytest.raises(ValidationFailed, match=words):
            add_version(actor=company.cast.alice, tool=version.tool, definition=changed)
