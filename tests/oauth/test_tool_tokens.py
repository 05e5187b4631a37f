"""A tool's server takes a call for what its token says, once, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from identities.models import SigningKey
from identities.oauth.signing_keys import NoSigningKey, keeper
from identities.oauth.tool_tokens import Acting, mint_tool_token
from identities.services import revoke_signing_key, suspend_agent
from identities.services.signing_keys import ensure_signing_key
from tests.cast import Cast
from tests.oauth.clients import ISSUER, Caller, claims_of
from tests.oauth.conftest import RESOURCE
from tests.oauth.resource_server import ResourceServer

pytestmark = pytest.mark.tokens

CALL: dict[str, Any] = {
    "tool": "refund",
    "key": "run:1:refund:0",
    "arguments": {"order": "A-17", "note": "für Sie"},
}


def published() -> dict[str, Any]:
    keys: dict[str, Any] = Browser().get("/oauth/jwks").json()
    return keys


def mint(cast: Cast, audience: str = RESOURCE, **changes: Any) -> str:
    account = cast.agent.service_account
    account.refresh_from_db()
    acting = Acting(account.username, account.token_epoch, "https://shop.example", "customer-17", "asserted")
    return mint_tool_token(acting, audience=audience, **{**CALL, **changes})


@pytest.fixture
def server(cast: Cast) -> ResourceServer:
    ensure_signing_key()
    return ResourceServer(ISSUER, RESOURCE, published)


def test_a_call_is_carried_out_once(cast: Cast, server: ResourceServer) -> None:
    token = mint(cast)

    said = claims_of(token)
    assert said["exp"] - said["iat"] == 60
    assert said["act"] == {"sub": said["client_id"]} == {"sub": cast.agent.service_account.username}
    assert server.refuse(token, user="customer-17", **CALL) == ""
    assert server.refuse(token, user="customer-17", **CALL) == "replay"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user": "customer-18"}, "user"),
        ({"tool": "cancel"}, "call"),
        ({"key": "run:1:refund:1"}, "call"),
        ({"arguments": {"order": "A-18", "note": "für Sie"}}, "call"),
    ],
)
def test_another_user_or_call_is_refused(
    cast: Cast, server: ResourceServer, changes: dict[str, Any], reason: str
) -> None:
    assert server.refuse(mint(cast), **{"user": "customer-17", **CALL, **changes}) == reason


def test_a_token_for_another_audience_or_too_late_is_refused(cast: Cast, server: ResourceServer) -> None:
    assert server.refuse(mint(cast, "https://other.example"), user="customer-17", **CALL) == "token"
    token = mint(cast)
    with time_machine.travel(timezone.now() + timedelta(seconds=61), tick=False):
        assert server.refuse(token, user="customer-17", **CALL) == "token"


def test_a_server_that_asks_knows_the_last_second(
    cast: Cast, server: ResourceServer, resource: Caller
) -> None:
    def ask(token: str) -> bool:
        return bool(resource.post("/oauth/introspect", token=token, consume="true").json()["active"])

    asking, second_process = (ResourceServer(ISSUER, RESOURCE, published, ask) for _ in range(2))
    token, late = mint(cast), mint(cast)
    assert asking.refuse(token, user="customer-17", **CALL) == ""
    assert second_process.refuse(token, user="customer-17", **CALL) == "inactive"
    suspend_agent(actor=cast.alice, agent=cast.agent)
    assert asking.refuse(late, user="customer-17", **CALL) == "inactive"


def test_minting_asks_no_database_while_the_keys_are_known(
    cast: Cast, server: ResourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting = Acting("agent.x", 1, "https://shop.example", "customer-17")
    mint_tool_token(acting, audience=RESOURCE, **CALL)
    monkeypatch.setattr("identities.oauth.signing_keys.KEPT_S", 3600.0)

    with CaptureQueriesContext(connection) as captured:
        mint_tool_token(acting, audience=RESOURCE, **CALL)
    assert len(captured) == 0


def test_a_revoked_key_signs_and_verifies_nothing_any_more(cast: Cast, server: ResourceServer) -> None:
    token = mint(cast)
    first = SigningKey.objects.get()
    revoke_signing_key(actor=cast.ada, key=first)

    assert server.refuse(token, user="customer-17", **CALL) == "token"
    assert server.refuse(mint(cast), user="customer-17", **CALL) == ""
    assert first.kid not in str(published())


def test_without_a_key_nothing_is_signed(cast: Cast) -> None:
    keeper.forget()
    with pytest.raises(NoSigningKey):
        mint(cast)
