"""Tokens of the target's own: asked for as the standards say, bounded, revoked, and no answer quoted."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from django.utils import timezone

from agentops.identifiers import new_id
from identities.secret_settings import parse_settings
from tests.tools.rude_server import RudeServer, rude_server
from tools.credentials.providers import CredentialTrouble, LeaseTerms, OpenSecret
from tools.credentials.providers.oauth import OAuthProvider

VALUE = "canary/of a client"
PROVIDER = OAuthProvider()
LEASE = LeaseTerms(new_id(), timezone.now() + timedelta(seconds=60))


@pytest.fixture
def server() -> Iterator[RudeServer]:
    with rude_server() as server:
        yield server
        PROVIDER.close()


def secret(server: RudeServer, path: str = "/token/60", **changes: Any) -> OpenSecret:
    where = {"token_url": server.url + path, "client_id": "agent ops", "allow_private": True}
    return OpenSecret(parse_settings("oauth", {**where, **changes}), VALUE)


def form_of(server: RudeServer) -> dict[str, str]:
    return dict(parse_qsl(server.seen[-1].body.decode()))


def test_a_client_signs_in_with_its_secret(server: RudeServer) -> None:
    released = PROVIDER.issue(secret(server, scope="orders:read", audience="https://shop.example"), LEASE)

    assert (released.material, released.handle) == ("issued-00000001", "")
    assert form_of(server) == {
        "grant_type": "client_credentials", "scope": "orders:read", "audience": "https://shop.example",
    }  # fmt: skip
    expected = base64.b64encode(b"agent+ops:canary%2Fof+a+client").decode()
    assert server.seen[0].headers["authorization"] == f"Basic {expected}"


def test_a_token_is_exchanged_for_one_of_the_audience(server: RudeServer) -> None:
    PROVIDER.issue(secret(server, grant="token_exchange", audience="shop"), LEASE)

    assert form_of(server) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "client_id": "agent ops",
        "subject_token": VALUE, "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "shop",
    }  # fmt: skip
    assert "authorization" not in server.seen[0].headers


@pytest.mark.parametrize("path", ["/token/301", "/token/0"])
def test_a_token_that_outlives_every_lease_is_refused_unless_it_can_be_revoked(
    server: RudeServer, path: str
) -> None:
    with pytest.raises(CredentialTrouble, match="revocation_url"):
        PROVIDER.issue(secret(server, path), LEASE)

    revocable = secret(server, path, revocation_url=server.url + "/ok")
    released = PROVIDER.issue(revocable, LEASE)
    PROVIDER.end(revocable, released.handle)
    assert server.seen[-1].target == "/ok"
    assert form_of(server) == {"token": released.material, "token_type_hint": "access_token"}


@pytest.mark.parametrize(
    ("path", "retryable"),
    [("/complain/401", False), ("/complain/503", True), ("/status/429", True), ("/ok", False), ("/html", False),
     ("/redirect/307", True), ("/drop", True), ("/deep", False), ("/big", False), ("/empty", False)],
)  # fmt: skip
def test_an_endpoint_that_gives_none_is_not_quoted(server: RudeServer, path: str, retryable: bool) -> None:
    with pytest.raises(CredentialTrouble) as trouble:
        PROVIDER.issue(secret(server, path), LEASE)
    assert trouble.value.retryable == retryable
    assert "canary" not in str(trouble.value)
    assert len(server.seen) == 1  # redirects are not followed


@pytest.mark.parametrize("path", ["/complain/500", "/complain/401", "/drop", "/redirect/307"])
def test_a_revocation_that_fails_is_told(server: RudeServer, path: str) -> None:
    with pytest.raises(CredentialTrouble):
        PROVIDER.end(secret(server, revocation_url=server.url + path), "issued-00000001")


def test_an_endpoint_inside_takes_the_secrets_word(server: RudeServer) -> None:
    with pytest.raises(CredentialTrouble, match="in a network that is not connected to"):
        PROVIDER.issue(secret(server, allow_private=False), LEASE)
    assert server.seen == []
