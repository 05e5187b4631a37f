"""A token endpoint whose clients are the cast's: an application, its agent, two more agents, a tool's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from identities.models import AgentIdentity, Application
from identities.oauth import issuers
from identities.oauth.signing_keys import keeper
from identities.services import add_issuer, declare_resource
from tests.cast import Cast
from tests.factories import AgentFactory, ApplicationFactory
from tests.oauth.clients import Caller, give_secret
from tests.oauth.provider import AUDIENCE, Provider, serve_provider

RESOURCE = "https://refunds.example/api"


@pytest.fixture(autouse=True)
def _forgetful_process() -> Iterator[None]:
    """Let no test sign with the keys of another, which were rolled back."""
    keeper.forget()
    issuers.forget_keys()
    yield
    keeper.forget()


@pytest.fixture
def app(cast: Cast) -> Caller:
    """Provide the application, which may start the agent."""
    return give_secret(cast.alice, cast.application.service_account)


@pytest.fixture
def agent(cast: Cast) -> Caller:
    """Provide the agent that the application may start."""
    return give_secret(cast.alice, cast.agent.service_account)


@pytest.fixture
def second(cast: Cast) -> Caller:
    """Provide another agent of the same team."""
    other: AgentIdentity = AgentFactory.create(team=cast.team, slug="second-agent", owner=cast.alice)
    return give_secret(cast.alice, other.service_account)


@pytest.fixture
def third(cast: Cast) -> Caller:
    """Provide one more."""
    other: AgentIdentity = AgentFactory.create(team=cast.team, slug="third-agent", owner=cast.alice)
    return give_secret(cast.alice, other.service_account)


@pytest.fixture
def resource(cast: Cast) -> Caller:
    """Provide the server of a tool, which is the audience RESOURCE."""
    served: Application = ApplicationFactory.create(team=cast.team, slug="refund-tool")
    declare_resource(actor=cast.alice, application=served, audience=RESOURCE)
    return give_secret(cast.alice, served.service_account)


@pytest.fixture(scope="session")
def serving_provider() -> Iterator[Provider]:
    """Serve one identity provider to all tests."""
    with serve_provider() as served:
        yield served


@pytest.fixture
def provider(cast: Cast, app: Caller, serving_provider: Provider) -> Provider:
    """Provide an identity provider whose tokens the application presents."""
    serving_provider.reset()
    add_issuer(
        actor=cast.ada,
        client=app.account,
        issuer=serving_provider.address,
        audience=AUDIENCE,
        allow_private=True,
    )
    return serving_provider
