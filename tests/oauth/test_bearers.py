"""An application's token is a bearer at the API; nothing else that we sign is."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from identities.oauth.tokens import draft_token, sign_token
from identities.services import revoke_application
from tests.cast import Cast
from tests.oauth.clients import API, ISSUER, USER_ID, Caller, user_id
from tests.oauth.conftest import RESOURCE


def status(token: str) -> int:
    return Browser().get("/api/v1/agents", headers={"Authorization": f"Bearer {token}"}).status_code


def test_an_applications_token_lets_it_in(app: Caller) -> None:
    answer = Browser().get("/api/v1/agents", headers={"Authorization": f"Bearer {app.token(API)}"})

    assert [row["slug"] for row in answer.json()["data"]] == ["refunds-agent"]


@pytest.mark.parametrize(("audience", "scope"), [(RESOURCE, "api"), (API, "tools:call"), ("itself", "api")])
def test_another_audience_or_scope_does_not(app: Caller, resource: Caller, audience: str, scope: str) -> None:
    name = app.client_id if audience == "itself" else audience
    assert status(app.token(name, scope=scope)) == 401


def test_what_was_passed_on_does_not(app: Caller, agent: Caller) -> None:
    assert status(app.exchanged(user_id(), agent.client_id, USER_ID)) == 401
    assert status("a.b.c") == 401


@pytest.mark.parametrize("subject", ["customer-17", "the agent"])
def test_a_token_for_a_user_or_an_agent_would_not_if_there_were_one(
    app: Caller, agent: Caller, subject: str
) -> None:
    app.token(API)  # makes the key that signs
    client = agent if subject == "the agent" else app
    forged = draft_token(
        client_id=client.client_id,
        subject=client.client_id if client is agent else subject,
        principal_issuer=ISSUER,
        audience=API,
        scope=frozenset({"api"}),
        epoch=1,
    )

    assert status(sign_token(forged)) == 401


def test_a_token_that_is_taken_back_stops_at_once(cast: Cast, app: Caller) -> None:
    token, other = app.token(API), app.token(API)
    app.post("/oauth/revoke", token=token)
    assert (status(token), status(other)) == (401, 200)

    revoke_application(actor=cast.alice, application=cast.application)
    assert status(other) == 401
