"""Callers for the cast, and an agent that can be started."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from runs.models import AgentVersion
from tests.api.caller import Caller, caller_of
from tests.cast import Cast
from tests.factories import AgentVersionFactory
from tests.runs.conftest import company

__all__ = ["company"]  # runs that can be driven in this process


@dataclass(frozen=True, slots=True)
class Callers:
    """The application, Ada over all, Bob of its team, Charlie of another, Fiona who approves, and a stranger."""

    app: Caller
    ada: Caller
    alice: Caller
    bob: Caller
    charlie: Caller
    fiona: Caller
    stranger: Caller


@pytest.fixture
def callers(cast: Cast) -> Callers:
    return Callers(
        app=caller_of(cast, cast.application.service_account),
        ada=caller_of(cast, cast.ada),
        alice=caller_of(cast, cast.alice),
        bob=caller_of(cast, cast.bob),
        charlie=caller_of(cast, cast.charlie),
        fiona=caller_of(cast, cast.fiona),
        stranger=Caller(),
    )


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    """Publish the agent's version."""
    published: AgentVersion = AgentVersionFactory.create(identity=cast.agent, published=True)
    return published
