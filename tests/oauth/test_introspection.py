"""Whether a token counts, who may ask, and how it is taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agentops.canonical import canonical_json
from identities.models import Delegation
from identities.oauth.details import describe_call
from identities.services import activate_agent, suspend_agent
from tests.cast import Cast
from tests.oauth.clients import USER_ID, Answer, Caller, claims_of, user_id
from tests.oauth.conftest import RESOURCE

CALL = canonical_json([describe_call("refund", "run:1:refund:0", {"order": "A-17"})]).decode()


def ask(caller: Caller, token: str, **form: str) -> Answer:
    return caller.post("/oauth/introspect", token=token, **form)


def is_active(caller: Caller, token: str, **form: str) -> bool:
    return bool(ask(caller, token, **form).json()["active"])


def tool_call(app: Caller, agent: Caller) -> str:
    """Return a token for one call of the tool."""
    for_agent = app.exchanged(user_id(), agent.client_id, USER_ID)
    return agent.exchanged(for_agent, RESOURCE, authorization_details=CALL)


def test_its_reader_and_its_client_see_a_token(agent: Caller, resource: Caller) -> None:
    token = agent.token(RESOURCE)

    answer = ask(resource, token)
    assert answer["Cache-Control"] == "no-store"
    assert answer.json() == {"active": True, "token_type": "Bearer", **claims_of(token)}
    assert is_active(agent, token)


def test_for_anybody_else_it_is_none(agent: Caller, second: Caller, app: Caller, resource: Caller) -> None:
    token = agent.token(RESOURCE)

    assert ask(second, token).json() == ask(app, token).json() == {"active": False}
    assert ask(resource, "no.token.atall").json() == {"active": False}


def test_a_tool_calls_token_is_used_up_once_by_its_reader(
    app: Caller, agent: Caller, resource: Caller
) -> None:
    token = tool_call(app, agent)

    assert is_active(resource, token)
    assert is_active(agent, token, consume="true"), "its client cannot use it up"
    assert is_active(resource, token, consume="true")
    assert not is_active(resource, token, consume="true")
    assert not is_active(resource, token)


@pytest.mark.django_db(transaction=True)
def test_of_many_readers_at_once_one_uses_it_up(app: Caller, agent: Caller, resource: Caller) -> None:
    token = tool_call(app, agent)

    def use(_: int) -> bool:
        try:
            return is_active(resource, token, consume="true")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) == 1


def test_a_token_that_its_client_revokes_counts_no_more(
    app: Caller, agent: Caller, second: Caller, resource: Caller
) -> None:
    for_agent = app.exchanged(user_id(), agent.client_id, USER_ID)
    for_second = agent.exchanged(for_agent, second.client_id)

    answer = app.post("/oauth/revoke", token=for_agent)

    assert (answer.status_code, answer.json()) == (200, {})
    assert not is_active(agent, for_agent)
    assert not is_active(second, for_second), "what came of it neither"
    assert not Delegation.objects.filter(revoked_at=None).exists()


def test_a_token_without_delegation_is_revoked_too(agent: Caller, resource: Caller) -> None:
    token, other = agent.token(RESOURCE), agent.token(RESOURCE)

    agent.post("/oauth/revoke", token=token, token_type_hint="access_token")

    assert not is_active(resource, token)
    assert is_active(resource, other)


def test_what_is_no_token_is_as_good_as_revoked(agent: Caller) -> None:
    assert agent.post("/oauth/revoke", token="nothing").status_code == 200


def test_nobody_revokes_anothers_token(agent: Caller, resource: Caller) -> None:
    token = agent.token(RESOURCE)

    answer = resource.post("/oauth/revoke", token=token)

    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
    assert is_active(resource, token)


def test_activation_revives_no_token_key_or_delegation(
    cast: Cast, app: Caller, agent: Caller, second: Caller, resource: Caller
) -> None:
    token = agent.token(RESOURCE)
    for_second = agent.exchanged(app.exchanged(user_id(), agent.client_id, USER_ID), second.client_id)
    suspend_agent(actor=cast.alice, agent=cast.agent)
    assert not is_active(resource, token)
    activate_agent(actor=cast.alice, agent=cast.agent)

    assert not is_active(resource, token)
    assert not is_active(second, for_second)
    assert agent.post(grant_type="client_credentials", audience=RESOURCE).json()["error"] == "invalid_client"
