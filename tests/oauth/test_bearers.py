"""An application's token is a bearer at the API; nothing else that we sign is."""

from __future__ import annotations

import pytest
from django.test import Client as Browser

from identities.services import revoke_application
from tests.cast import Cast
from tests.oauth.clients import API, USER_ID, Caller, user_id
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


def test_a_token_that_is_taken_back_stops_at_once(cast: Cast, app: Caller) -> None:
    token, other = app.token(API), app.token(API)
    app.post("/oauth/revoke", token=token)
    assert (status(token), status(other)) == (401, 200)

    revoke_application(actor=cast.alice, application=cast.application)
    assert status(other) == 401
