"""An agent outside that calls the company's tools."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings

from identities.models import Principal
from identities.oauth.bearers import Delegate
from runs.gateway.answers import Answer, mark_answered, read_answer
from runs.gateway.receiving import Foreign, receive_call
from runs.models import ReceivedCall, Run
from tests.runs.company import ISSUER, SUBJECT, Company
from tests.runs.gateway.fixtures import serve_fixtures
from tests.runs.gateway.gateways import Gateway, serving
from tests.runs.gateway.served import take_over
from tools.services import ServerDefinition


@dataclass
class Outside:
    """The agent of the company as somebody else's program, acting for a user."""

    company: Company
    caller: Delegate

    def call(self, tool: str, arguments: Any, **more: str) -> ReceivedCall:  # Any: JSON
        """Make a call, and let the driver see to it."""
        received = self.send(tool, arguments, **more)
        self.company.drive(received.run)
        return received

    def send(
        self, tool: str, arguments: Any, **more: str
    ) -> ReceivedCall:  # Any: JSON, or a text as it stands
        """Make a call that nobody sees to yet."""
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, sort_keys=True)
        return receive_call(caller=self.caller, foreign=Foreign(tool, text, **more))[0]

    def hear(self, received: ReceivedCall) -> Answer:
        """Ask how a call ended; once it has, that was told."""
        answer = read_answer(received)
        if answer.is_settled:
            mark_answered(received)
        return answer

    @property
    def run(self) -> Run:
        return Run.objects.get(kind="external")


def delegate(company: Company, subject: str = SUBJECT, proof: str = "token") -> Delegate:
    """Return whom a token of a user's would stand for."""
    principal, _ = Principal.objects.get_or_create(team=company.cast.team, issuer=ISSUER, subject=subject)
    return Delegate(company.cast.agent, principal, None, proof)


@pytest.fixture
def outside(company: Company) -> Outside:
    """Provide an agent outside with a tool that reads and one that refunds."""
    company.add_tool("refund")
    company.add_reads()
    company.publish(price=False, planner="external", principal_source="token", max_steps=40)
    return Outside(company, delegate(company))


@pytest.fixture
def gateway(outside: Outside, settings: Settings) -> Iterator[Gateway]:
    """Provide the gateway behind a real server, and a worker."""
    with serving(outside.company, settings) as served:
        yield served


@pytest.fixture
def shown(company: Company) -> Iterator[Outside]:
    """Provide an agent outside with pictures, documents and prompts of another server."""
    with serve_fixtures() as url:
        take_over(company, "fixtures", ServerDefinition("http", url=url, allow_private=True))
        company.publish(price=False, planner="external", principal_source="token", max_steps=40)
        yield Outside(company, delegate(company))


@pytest.fixture
def showing(shown: Outside, settings: Settings) -> Iterator[Gateway]:
    """Provide the gateway to them behind a real server, and a worker."""
    with serving(shown.company, settings) as served:
        yield served
