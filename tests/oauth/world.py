"""Everything that the table of refusals asks with: clients, a user's provider, tokens of each kind, and forgeries."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.test import Client as Browser

from identities.models import AgentIdentity, Application, SigningKey, User
from identities.oauth.signing_keys import keeper
from identities.services import add_issuer
from tests.cast import Cast
from tests.factories import AgentFactory, ApplicationFactory
from tests.oauth.clients import (
    ASSERTION_TYPE,
    USER_ID,
    Answer,
    Caller,
    assertion,
    claims_of,
    give_key,
    give_secret,
    key_pair,
    post,
    sign,
    user_id,
)
from tests.oauth.conftest import RESOURCE
from tests.oauth.provider import AUDIENCE, Provider


@dataclass
class World:
    """The cast at the token endpoint, each of it there once it is needed. One agent proves itself by a key."""

    cast: Cast
    provider_server: Provider

    @cached_property
    def app(self) -> Caller:
        return give_secret(self.cast.alice, self.cast.application.service_account)

    @cached_property
    def agent(self) -> Caller:
        self._serve()
        return give_secret(self.cast.alice, self.cast.agent.service_account)

    @cached_property
    def second(self) -> Caller:
        return give_secret(self.cast.alice, self._another_agent())

    @cached_property
    def third(self) -> Caller:
        return give_secret(self.cast.alice, self._another_agent())

    @cached_property
    def keyed(self) -> Caller:
        self._serve()
        account = self._another_agent()
        give_key(self.cast.alice, account, self.own_key)
        return Caller(account, "")

    @cached_property
    def provider(self) -> Provider:
        """The provider of the application's users."""
        served = self.provider_server
        add_issuer(
            actor=self.cast.ada,
            client=self.app.account,
            issuer=served.address,
            audience=AUDIENCE,
            allow_private=True,
        )
        return served

    def _serve(self) -> None:
        """Let there be a resource."""
        if not Application.objects.filter(audience=RESOURCE).exists():
            ApplicationFactory.create(team=self.cast.team, audience=RESOURCE)

    def _another_agent(self) -> User:
        other: AgentIdentity = AgentFactory.create(team=self.cast.team, owner=self.cast.alice)
        return other.service_account

    @cached_property
    def for_agent(self) -> str:
        """A token that the application got for the agent, on behalf of customer-17."""
        return self.app.exchanged(user_id(), self.agent.client_id, USER_ID)

    @cached_property
    def for_second(self) -> str:
        """What the agent made of it for the second agent."""
        return self.agent.exchanged(self.for_agent, self.second.client_id)

    @property
    def own_key(self) -> Any:  # Any: as key_pair returns it
        return key_pair("keyed", "OKP")

    def ask(self, text: str, **form: str) -> Answer:
        """Ask for a token with an assertion."""
        given = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, "audience": RESOURCE}
        return post(Browser(), "/oauth/token", **{"grant_type": "client_credentials", **given, **form})

    def assert_own(self, **changes: Any) -> Answer:  # Any: claims, well-formed or not
        """Ask for a token with an assertion of the keyed agent that differs in this."""
        return self.ask(assertion(self.keyed.client_id, self.own_key, **{"alg": "EdDSA", **changes}))

    def forge(self, header: dict[str, Any] | None = None, **changes: Any) -> str:  # Any: as above
        """Return the agent's token with other claims, signed by the installation's own key all the same."""
        claims = {**claims_of(self.for_agent), **changes}
        plain = {name: value for name, value in claims.items() if value is not None}
        key = SigningKey.objects.get()
        private = keeper.unsealed(key)
        return sign(plain, private, {"typ": "at+jwt", "kid": key.kid, **(header or {})})

    def present(self, token: str, **form: str) -> Answer:
        """Let the agent exchange a token that is said to be ours."""
        return self.agent.exchange(token, RESOURCE, **form)

    def present_id(self, token: str, **form: str) -> Answer:
        """Let the application exchange a user's token."""
        kind = "urn:ietf:params:oauth:token-type:id_token"
        return self.app.exchange(token, self.agent.client_id, kind, **form)


def soon(seconds: int) -> int:
    """Return a moment, in whole seconds."""
    return int(time.time()) + seconds
