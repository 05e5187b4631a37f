"""A client gets a token of its own, by each method; and what that token says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client as Browser
from joserfc import jwt
from joserfc.jwk import KeySet

from identities.models import SigningKey
from tests.cast import Cast
from tests.oauth.clients import (
    API,
    ASSERTION_TYPE,
    FORM,
    ISSUER,
    TOKEN_URL,
    Caller,
    assertion,
    basic,
    claims_of,
    give_key,
    key_pair,
    post,
)
from tests.oauth.conftest import RESOURCE


def verified(token: str) -> jwt.Token:
    """Return a token as anybody verifies it: with the published keys and another's code."""
    published = KeySet.import_key_set(Browser().get("/oauth/jwks").json())
    return jwt.decode(token, published, algorithms=["ES256", "RS256"])


def test_a_secret_in_the_body_gives_a_token(app: Caller) -> None:
    answer = app.post(grant_type="client_credentials", audience=API, scope="api")

    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, "api")
    token = verified(body["access_token"])
    said, now = token.claims, int(time.time())
    assert token.header["typ"] == "at+jwt"
    assert (said["iss"], said["aud"], said["principal_issuer"]) == (ISSUER, API, ISSUER)
    assert said["client_id"] == said["sub"] == app.client_id
    assert now - 5 <= said["iat"] == said["nbf"] <= now
    assert said["exp"] == said["iat"] + 300
    assert "act" not in said


def test_a_secret_in_the_header_gives_a_token(app: Caller) -> None:
    answer = Browser().post(
        "/oauth/token",
        f"grant_type=client_credentials&resource={API}",
        content_type=FORM,
        headers={"Authorization": basic(app.client_id, app.secret)},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("kind", "alg"),
    [("EC", "ES256"), ("OKP", "EdDSA"), ("OKP", "Ed25519"), ("RSA", "RS256"), ("RSA", "PS256")],
)
@pytest.mark.parametrize("audience", [TOKEN_URL, [ISSUER]])
def test_a_signed_assertion_gives_a_token(
    cast: Cast, resource: Caller, kind: str, alg: str, audience: Any
) -> None:
    account, key = cast.agent.service_account, key_pair(f"own-{kind}", kind)
    give_key(cast.alice, account, key)

    answer = post(
        Browser(),
        "/oauth/token",
        grant_type="client_credentials",
        audience=RESOURCE,
        client_assertion_type=ASSERTION_TYPE,
        client_assertion=assertion(account.username, key, alg=alg, aud=audience),
    )

    assert answer.status_code == 200, answer.content
    assert claims_of(answer.json()["access_token"])["client_id"] == account.username


def test_the_first_token_makes_the_first_key_and_the_second_uses_it(app: Caller) -> None:
    app.token(API)
    app.token(API)

    key = SigningKey.objects.get()
    assert key.algorithm == "ES256"
    assert "d" not in key.public_jwk
    assert '"d"' not in key.sealed_private_jwk


def test_the_server_describes_itself(client: Browser) -> None:
    answer = client.get("/.well-known/oauth-authorization-server")

    said = answer.json()
    assert "max-age" in answer["Cache-Control"]
    assert (said["issuer"], said["token_endpoint"]) == (ISSUER, TOKEN_URL)
    assert said["jwks_uri"] == f"{ISSUER}/oauth/jwks"
    assert "private_key_jwt" in said["token_endpoint_auth_methods_supported"]
    assert "none" not in said["token_endpoint_auth_signing_alg_values_supported"]


def test_the_keys_are_published_without_their_private_halves(app: Caller, client: Browser) -> None:
    app.token(API)
    answer = client.get("/oauth/jwks")

    assert answer["Cache-Control"] == "public, max-age=300"
    assert [sorted(key) for key in answer.json()["keys"]] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]


def test_without_a_public_address_there_is_no_issuer(app: Caller, settings: LazySettings) -> None:
    settings.PUBLIC_URL = ""

    assert app.post(grant_type="client_credentials", audience=API).status_code == 404
    assert Browser().get("/oauth/jwks").status_code == 404
