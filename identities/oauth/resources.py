"""Whom a token may be for: this installation's API or gateway, a registered resource, or another client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from django.utils import timezone

from identities.clients import find_client, may_act, owner_of
from identities.models import Application, User
from identities.oauth.errors import OAuthError, invalid_request
from identities.oauth.metadata import api_audience, gateway_audience
from identities.oauth.parameters import Parameters

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Audience:
    """Who reads a token; `account` where that is a client of ours."""

    name: str
    kind: Literal["api", "gateway", "resource", "client"]
    account: User | None = None


def read_audience(parameters: Parameters, client: User) -> Audience:
    """Return the one audience that a request names (RFC 8707, RFC 8693); raises OAuthError `invalid_target`."""
    named = {parameters[name] for name in ("resource", "audience") if name in parameters}
    if len(named) > 1:
        raise invalid_request("several_audiences", "A token has one audience.")
    if not named:
        raise OAuthError("invalid_target", "no_audience", "Say for whom the token is: resource or audience.")
    found = _find(named.pop(), client)
    if found is None:
        raise OAuthError("invalid_target", "unknown_audience", "No token is given for this audience.")
    return found


def _find(name: str, client: User) -> Audience | None:
    if len(name) > LONGEST:
        return None
    if name == api_audience():
        # The service account of an agent holds permissions; it never acts through the API itself.
        return None if client.kind == User.Kind.AGENT else Audience(name, "api")
    if name == gateway_audience():
        return Audience(name, "gateway") if client.kind == User.Kind.AGENT else None
    team = owner_of(client).team_id
    served = Application.objects.filter(audience=name, team=team, state=Application.State.ACTIVE)
    if served.exists():
        return Audience(name, "resource")
    other = find_client(name)
    if other is None or owner_of(other).team_id != team or not may_act(other, timezone.now()):
        return None
    return Audience(name, "client", other)
