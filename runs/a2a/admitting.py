"""Who calls over A2A: an application, by the credentials that count at the REST API, for a user whom a token proves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.http import HttpRequest
from guardian.shortcuts import get_perms

from agentops.database import orm_section
from agentops.errors import PolicyDenied
from identities.api.authentication import accept_credential, read_account_again
from identities.models import AgentIdentity, ApiKey, Application, User
from identities.oauth.issuers import ProvenUser
from identities.oauth.tokens import AccessToken
from runs.api.principals import read_proof

SUBJECT_TOKEN = "Agentops-Subject-Token"  # noqa: S105  the name of a header
REALM = 'Bearer realm="agentops"'


class Refused(Exception):
    """The request goes no further: status, code, words, and header fields."""

    def __init__(self, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers or {}


@dataclass(frozen=True, slots=True)
class Caller:
    """An application that speaks to an agent; ``proven`` is the user whose token came with the request."""

    account: User
    agent: AgentIdentity
    credential: ApiKey | AccessToken = field(repr=False)
    proven: ProvenUser | None = None

    @property
    def application(self) -> Application:
        return self.account.application

    def still_stands(self) -> bool:
        """Return whether the very same request would be let in now."""
        account = read_account_again(self.account, self.credential)
        return account is not None and find_exposed(account, self.agent.slug) is not None


def admit(slug: str, request: HttpRequest) -> Caller:
    """Return who calls which agent; raises Refused. An agent that is not the caller's to start is not there."""
    with orm_section():
        account, credential, agent = _identify(slug, request.headers.get("Authorization", ""))
    proven = _prove(request, account)
    return Caller(account, agent, credential, proven)


def _identify(slug: str, header: str) -> tuple[User, Any, AgentIdentity]:  # Any: either kind of credential
    if not header:
        raise Refused(401, "not_authenticated", "Present a credential.", {"WWW-Authenticate": REALM})
    accepted = accept_credential(header)
    if accepted is None:
        told = {"WWW-Authenticate": f'{REALM}, error="invalid_token"'}
        raise Refused(401, "invalid_credential", "This credential is not valid.", told)
    account, credential = accepted
    if account.kind != User.Kind.APPLICATION:
        raise Refused(403, "not_allowed", "Only applications speak A2A here; people have the API.")
    agent = find_exposed(account, slug)
    if agent is None:
        raise Refused(404, "unknown_agent", "There is no such agent, or it is not for you to start.")
    return account, credential, agent


def find_exposed(account: User, slug: str) -> AgentIdentity | None:
    """Return an agent that is exposed and that this application may start."""
    agent = AgentIdentity.objects.select_related("team").filter(slug=slug, exposed=True).first()
    return agent if agent is not None and "start_run" in get_perms(account, agent) else None


def _prove(request: HttpRequest, account: User) -> ProvenUser | None:
    """Return whom the user's token proves. Not in a transaction: keys may be fetched, and a refusal is recorded."""
    try:
        return read_proof(request, account, request.headers.get(SUBJECT_TOKEN))
    except PolicyDenied as refusal:
        raise Refused(403, refusal.code, refusal.detail) from None
    finally:
        if not connection.in_atomic_block:
            connection.close()
