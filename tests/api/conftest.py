"""Callers for the cast, and an agent that can be started."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from runs.models import AgentVersion
from tests.api.caller import Caller, bearer_of
from tests.cast import Cast
from tests.casting import Rehearsal, rehearse, write
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


@pytest.fixture(scope="session")
def keys(casting: Rehearsal[Cast], django_db_blocker: DjangoDbBlocker) -> Rehearsal[dict[str, str]]:
    """Rehearse the issue of everybody's key once: it takes longer than most tests of the API."""
    with django_db_blocker.unblock():
        rehearsed = rehearse(lambda: issue_keys(deepcopy(casting.made)), after=casting.statements)
        connection.close()
    return rehearsed


def issue_keys(cast: Cast) -> dict[str, str]:
    accounts = {"app": cast.application.service_account, "ada": cast.ada, "alice": cast.alice}
    accounts |= {"bob": cast.bob, "charlie": cast.charlie, "fiona": cast.fiona}
    return {name: bearer_of(cast, account) for name, account in accounts.items()}


@pytest.fixture
def callers(cast: Cast, keys: Rehearsal[dict[str, str]]) -> Callers:
    write(keys.statements)
    known = {name: Caller(bearer) for name, bearer in keys.made.items()}
    return Callers(**known, stranger=Caller())


@pytest.fixture
def version(cast: Cast) -> AgentVersion:
    """Publish the agent's version."""
    published: AgentVersion = AgentVersionFactory.create(identity=cast.agent, published=True)
    return published
