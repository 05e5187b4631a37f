"""Authority passed on: from a user to an application, from there to agents and a tool."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from agentops.canonical import canonical_json
from identities.models import Delegation, Principal
from identities.oauth.compact import parse, verify
from identities.oauth.details import describe_call
from identities.oauth.signing_keys import find_verifying_key
from identities.services import lift_switch, revoke_agent, revoke_delegation, suspend_agent, throw_switch
from tests.cast import Cast
from tests.ledger import last_entry
from tests.oauth.clients import ACCESS_TOKEN, API, USER_ID, Caller, claims_of, user_id
from tests.oauth.conftest import RESOURCE

CALL = describe_call("refund", "run:1:refund:0", {"order": "A-17", "amount": "12.50"})


@pytest.fixture
def for_agent(app: Caller, agent: Caller) -> str:
    """Provide what the application gives the agent on behalf of customer-17."""
    return app.exchanged(user_id(), agent.client_id, USER_ID)


def test_an_application_passes_a_users_authority_on(cast: Cast, app: Caller, agent: Caller) -> None:
    answer = app.exchange(user_id(), agent.client_id, USER_ID, scope="tools:call delegate")

    body, said = answer.json(), claims_of(answer.json()["access_token"])
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert (said["sub"], said["principal_issuer"]) == ("customer-17", "https://shop.example")
    assert (said["aud"], said["client_id"]) == (agent.client_id, app.client_id)
    assert said["act"] == {"sub": app.client_id}
    assert said["principal_proof"] == "asserted"
    hop = Delegation.objects.get(pk=said["delegation"])
    assert (hop.depth, hop.actor, hop.audience) == (1, app.account, agent.client_id)
    entry = last_entry(cast.application.pk)
    assert (entry.kind, entry.facts["delegation"]) == ("delegation.made", str(hop.pk))
    assert "customer-17" not in str(entry.facts)


def test_the_chain_of_actors_nests_and_each_hop_has_a_signed_receipt(
    app: Caller, agent: Caller, second: Caller, resource: Caller, for_agent: str
) -> None:
    for_second = agent.exchanged(for_agent, second.client_id)
    said = claims_of(second.exchanged(for_second, RESOURCE, scope="tools:call"))

    assert said["act"] == {
        "sub": second.client_id,
        "act": {"sub": agent.client_id, "act": {"sub": app.client_id}},
    }
    assert said["sub"] == "customer-17"
    hops = list(Delegation.objects.order_by("depth"))
    assert [hop.depth for hop in hops] == [1, 2, 3]
    assert [hop.parent for hop in hops] == [None, hops[0], hops[1]]
    assert {hop.principal for hop in hops} == {Principal.objects.get(subject="customer-17")}
    receipts = [
        verify(parse(hop.receipt, types=frozenset({"agentops-receipt+jwt"})), find_verifying_key)
        for hop in hops
    ]
    assert [receipt["parent"] for receipt in receipts] == [None, str(hops[0].pk), str(hops[1].pk)]
    assert all("customer-17" not in json.dumps(receipt) for receipt in receipts)


def test_a_receipt_is_no_access_token(app: Caller, agent: Caller, for_agent: str) -> None:
    receipt = Delegation.objects.get().receipt

    assert agent.exchange(receipt, RESOURCE).status_code == 400


def test_a_child_ends_no_later_than_its_parent(agent: Caller, resource: Caller, for_agent: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=250), tick=False):
        answer = agent.exchange(for_agent, RESOURCE)

    child = claims_of(answer.json()["access_token"])
    assert child["exp"] == claims_of(for_agent)["exp"]
    assert answer.json()["expires_in"] <= 51


def test_a_call_of_a_tool_gets_a_minute_and_is_described(
    agent: Caller, resource: Caller, for_agent: str
) -> None:
    details = canonical_json([CALL]).decode()
    answer = agent.exchange(for_agent, RESOURCE, authorization_details=details)

    body = answer.json()
    assert body["expires_in"] == 60
    assert body["authorization_details"] == [CALL]
    assert claims_of(body["access_token"])["authorization_details"] == [CALL]


def test_a_client_passes_its_own_authority_on(app: Caller, agent: Caller) -> None:
    own = app.token(app.client_id)
    said = claims_of(app.exchanged(own, agent.client_id))

    assert (said["sub"], said["principal_proof"]) == (app.client_id, "self")
    assert Delegation.objects.get().principal is None


def test_its_own_token_may_name_the_actor(app: Caller, agent: Caller) -> None:
    answer = app.exchange(
        user_id(), agent.client_id, USER_ID, actor_token=app.token(API), actor_token_type=ACCESS_TOKEN
    )

    assert answer.status_code == 200


def test_revoking_a_hop_revokes_what_came_of_it_and_nothing_else(
    cast: Cast, app: Caller, agent: Caller, second: Caller, resource: Caller, for_agent: str
) -> None:
    for_second = agent.exchanged(for_agent, second.client_id)
    second.exchanged(for_second, RESOURCE)
    other = app.exchanged(user_id("customer-18"), agent.client_id, USER_ID)
    root = Delegation.objects.get(pk=claims_of(for_agent)["delegation"])

    assert revoke_delegation(actor=cast.alice, delegation=root) == 3

    assert second.exchange(for_second, RESOURCE).json()["error"] == "invalid_request"
    assert agent.exchange(other, RESOURCE).status_code == 200
    assert last_entry(cast.agent.pk).kind == "delegation.made"


@pytest.mark.parametrize("stop", [suspend_agent, revoke_agent])
def test_stopping_an_agent_ends_what_it_passed_on(
    cast: Cast, agent: Caller, second: Caller, resource: Caller, for_agent: str, stop: object
) -> None:
    for_second = agent.exchanged(for_agent, second.client_id)
    assert callable(stop)
    stop(actor=cast.alice, agent=cast.agent)

    refusal = second.exchange(for_second, RESOURCE)
    assert (refusal.status_code, refusal.json()["error"]) == (400, "invalid_request")
    assert not Delegation.objects.filter(actor=agent.account, revoked_at=None).exists()


@pytest.mark.parametrize("scope", ["everything", "principal"])
def test_a_kill_switch_stops_what_was_passed_on_and_lets_nothing_more_pass(
    cast: Cast, app: Caller, agent: Caller, second: Caller, for_agent: str, scope: str
) -> None:
    target = "" if scope == "everything" else str(Principal.objects.get().pk)
    switch = throw_switch(actor=cast.ada, scope=scope, target=target, reason="Fire.")
    assert agent.post("/oauth/introspect", token=for_agent).json() == {"active": False}
    assert agent.exchange(for_agent, second.client_id).status_code == 400
    assert app.exchange(user_id(), agent.client_id, USER_ID).json()["error"] == "invalid_request"
    lift_switch(actor=cast.ada, switch=switch, reason="It is out.")
    assert app.exchange(user_id(), agent.client_id, USER_ID).status_code == 200


def test_a_kill_switch_for_somebody_else_stops_no_token(
    cast: Cast, app: Caller, agent: Caller, for_agent: str
) -> None:
    other = Principal.objects.create(team=cast.team, issuer="https://shop.example", subject="customer-18")
    throw_switch(actor=cast.ada, scope="principal", target=str(other.pk), reason="Fire.")
    assert agent.post("/oauth/introspect", token=for_agent).json()["active"] is True
