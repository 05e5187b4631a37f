"""A chain of exchanges outside: an application passes its user on to an agent, that one to another, on to a server.

Its tokens are in other hands when the chain is taken back. Two ask all the while: the server, whether the token that it
was shown counts, and the last agent, for one more of the token that it was given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from identities.models import AgentIdentity, Application, Delegation, User
from identities.oauth.subjects import ACCESS_TOKEN, USER_ID
from identities.services import issue_credential
from identities.services.credentials import has_key_set, new_client_secret, rotate_credential
from runs.bench.reader import AUDIENCE, QUESTIONS, Probe, Reader, post_form

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass(frozen=True, slots=True)
class Party:
    """A client with a secret."""

    name: str
    secret: str

    def pass_on(self, address: str, token: str, kind: str, audience: str) -> str:
        """Return the token for the next one, an empty text where the exchange is refused."""
        form = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": kind,
            "audience": audience,
        }
        status, answer = post_form(f"{address}/oauth/token", self.name, self.secret, form)
        if status not in (HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED):
            raise RuntimeError(f"the token endpoint answers {status}: {answer}")
        return str(answer.get("access_token", ""))


@dataclass(frozen=True, slots=True)
class Chain:
    """Three hops: the first one's row, the token that the server is shown, and what asks for another."""

    root: UUID
    shown: str
    again: Probe


def make_chain(
    reader: Reader, application: Application, agent: AgentIdentity, child: AgentIdentity, officer: User
) -> Chain:
    """Pass a user on from an application over both agents to the reader, as they would from outside."""
    client, first, last = (_equip(each.service_account, officer) for each in (application, agent, child))
    user = json.dumps({"issuer": "bench", "subject": "outside"})
    to_first = client.pass_on(reader.address, user, USER_ID, first.name)
    to_last = first.pass_on(reader.address, to_first, ACCESS_TOKEN, last.name)

    def ask(_: int) -> bool:
        return bool(last.pass_on(reader.address, to_last, ACCESS_TOKEN, AUDIENCE))

    shown = last.pass_on(reader.address, to_last, ACCESS_TOKEN, AUDIENCE)
    root = Delegation.objects.filter(actor=application.service_account).latest("created_at")
    return Chain(root.pk, shown, Probe(ask, QUESTIONS))


def _equip(account: User, officer: User) -> Party:
    """Give a client a new secret: what it had, a stop has ended for good."""
    material = new_client_secret()
    give = rotate_credential if has_key_set(account) else issue_credential
    give(actor=officer, owner=account, material=material)
    return Party(account.username, material.plaintext)
