"""The identity provider: what it says of itself, and its token endpoint, which gives an ID token for a code."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlsplit

from agentops.fresh import Fresh
from identities.oauth.fetching import NotFetched, post_form
from identities.oauth.issuers import KEPT_S, discover
from identities.sso.configuration import Configuration
from identities.sso.refused import SignOnRefused

# Within OUTGOING_PRIVATE_NETWORKS, that is: issuer and networks are both the operator's word.
ALLOW_PRIVATE = True
BASIC, POST = "client_secret_basic", "client_secret_post"


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider's addresses, how it wants us to prove ourselves, and whether its answers name it (RFC 9207)."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    authentication: str
    names_itself: bool


_known: Fresh[str, Provider] = Fresh(KEPT_S)


def find_provider(issuer: str) -> Provider:
    """Return what an issuer says of itself, asked anew every ten minutes; raises SignOnRefused."""
    return _known.get(issuer, lambda: _ask(issuer))


def _ask(issuer: str) -> Provider:
    try:
        return _read(issuer, discover(issuer, allow_private=ALLOW_PRIVATE))
    except NotFetched as error:
        raise SignOnRefused(f"provider_{error.reason}") from None


def forget_provider() -> None:
    """Ask anew at the next use."""
    _known.clear()


def redeem_code(configuration: Configuration, provider: Provider, form: dict[str, str]) -> str:
    """Return the ID token that the provider gives for a code; raises SignOnRefused."""
    told = {"grant_type": "authorization_code", **form}
    headers: dict[str, str] = {}
    if provider.authentication == POST:
        told |= {"client_id": configuration.client_id, "client_secret": configuration.client_secret}
    else:
        headers["Authorization"] = _basic(configuration)
    try:
        answer = post_form(provider.token_endpoint, told, headers, allow_private=ALLOW_PRIVATE)
    except NotFetched as error:
        # A code that was used, or is not for us, is answered with a status of its own.
        raise SignOnRefused(
            "code_refused" if error.reason == "status" else f"provider_{error.reason}"
        ) from None
    token = answer.get("id_token")
    if not isinstance(token, str):
        raise SignOnRefused("no_id_token")
    return token


def _read(issuer: str, document: dict[str, Any]) -> Provider:  # Any: JSON
    ways = document.get("token_endpoint_auth_methods_supported", [BASIC])
    by_form = isinstance(ways, list) and POST in ways and BASIC not in ways
    return Provider(
        authorization_endpoint=_read_address(issuer, document.get("authorization_endpoint")),
        token_endpoint=_read_address(issuer, document.get("token_endpoint")),
        jwks_uri=_read_address(issuer, document.get("jwks_uri")),
        authentication=POST if by_form else BASIC,
        names_itself=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _read_address(issuer: str, named: Any) -> str:  # Any: JSON
    """Return an address that is as safe as the issuer's own; raises NotFetched for anything else."""
    try:
        parts = urlsplit(named) if isinstance(named, str) and named.isprintable() else None
    except ValueError:
        parts = None
    if parts is None or not parts.hostname or parts.scheme not in ("https", urlsplit(issuer).scheme):
        raise NotFetched("malformed")
    return str(named)


def _basic(configuration: Configuration) -> str:
    """Return the header by which we prove ourselves (RFC 6749, 2.3.1: both halves encoded first)."""
    pair = f"{quote_plus(configuration.client_id)}:{quote_plus(configuration.client_secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
