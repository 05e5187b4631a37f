"""Our client at our server: an agent gives a task to an exposed one, where a person has to approve."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from guardian.shortcuts import assign_perm
from pytest_django import Settings

from identities.models import AgentIdentity, Application
from identities.oauth.documents import sign_document
from identities.oauth.issuers import forget_keys
from identities.services import add_issuer, create_secret
from runs.models import Run
from tests.factories import AgentFactory, AgentVersionFactory, GrantFactory
from tests.runs.a2a.remotes import add_server, ended, take_over, wait_for
from tests.runs.a2a.served import Served, serving
from tests.runs.company import Company, proposes, says
from tests.runs.conftest import company
from tests.runs.planner.provider import Conversation
from tools.models import ServerTool, ToolServer
from tools.services import refresh_server

__all__ = ["company"]

pytestmark = [pytest.mark.delegation, pytest.mark.slow]

TASK = "Refund 5.00 of A-1."


@pytest.fixture
def served(company: Company, settings: Settings) -> Iterator[Served]:
    """Provide the company's agent, exposed, that refunds once a person has approved."""
    refund = company.add_tool("refund")
    company.grant(refund.tool, "REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    with serving(company, settings) as made:
        yield made
    forget_keys()


def connect(served: Served) -> ToolServer:
    """Let the other agents of the team call the exposed one: by a key of the application, with their users' tokens."""
    cast, audience = served.company.cast, served.base
    create_secret(
        actor=cast.alice, team=cast.team, slug="far-key", purpose="Lets us in.", provider="static", settings={},
        value=served.key,
    )  # fmt: skip
    # No application may serve what is this installation's own: here it stands for another installation's, too.
    Application.objects.filter(pk=cast.application.pk).update(audience=audience)
    add_issuer(
        actor=cast.ada, client=cast.application.service_account, issuer=served.url, audience=audience,
        jwks_url=f"{served.url}/oauth/jwks", allow_private=True,
    )  # fmt: skip
    return add_server(served.company, served.base, audience=audience, credential="far-key")


def hire(served: Served, idempotency: str) -> AgentIdentity:
    """Add a supervisor whose one tool is the exposed agent."""
    company = served.company
    version = take_over(company, connect(served), idempotency=idempotency)
    agent: AgentIdentity = AgentFactory.create(team=company.cast.team, slug="boss", name="Boss")
    assign_perm("start_run", company.cast.application.service_account, agent)
    AgentVersionFactory.create(identity=agent, model=company.model, catalogue=[version], published=True)
    GrantFactory.create(identity=agent, tool=version.tool, decision="ALLOW")
    company.play(answer)
    return agent


def answer(conversation: Conversation) -> None:
    """Be the model of both."""
    messages = conversation.asked.body["messages"]
    done, said = sum(message["role"] == "assistant" for message in messages), messages[1]["content"]
    if said == TASK:
        turns = [proposes(("refund", {"order_id": "A-1", "amount": "5.00"})), says("Refunded.")]
    else:
        turns = [proposes(("delegate", {"task": TASK})), says("All done.")]
    turns[min(done, 1)](conversation)


@pytest.mark.parametrize("idempotency", ["honours_key", "none"])
def test_a_task_there_waits_for_a_person_and_is_done_once(served: Served, idempotency: str) -> None:
    company = served.company
    agent = hire(served, idempotency=idempotency)
    Application.objects.update(may_assert_users=True)
    run = start(served, agent)
    wait_for(lambda: company.states(run) == [("awaited", "remote_auth_required")])
    there = Run.objects.exclude(pk=run.pk).get()
    assert "A person has to approve this." in company.content(run, "call.awaited")["detail"]
    # For the same user, whom the token of the very call has proven; in the trace of the one who asked.
    assert (there.proof, there.principal.issuer) == ("token", served.url)
    assert (there.principal.subject, there.trace_id) == (run.principal.subject, run.trace_id)
    company.decide()
    ended(run)
    there.refresh_from_db()
    assert (run.state, there.state) == ("completed", "completed")
    value = company.content(run, "call.succeeded")["value"]
    assert (value["answer"], value["task"]) == ("Refunded.", str(there.pk))
    assert len(company.world.effects) == 1
    assert Run.objects.count() == 2


def start(served: Served, agent: AgentIdentity) -> Run:
    from runs.services import start_run
    from tests.runs.company import ISSUER, SUBJECT

    cast = served.company.cast
    return start_run(
        actor=cast.application.service_account, agent=agent, message="Have it refunded.", issuer=ISSUER,
        subject=SUBJECT, application=cast.application,
    )  # fmt: skip


def test_the_card_is_believed_by_its_signature_only(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    server = connect(served)
    [row] = ServerTool.objects.filter(server=server)
    assert row.described["annotations"]["signed_by"]
    assert row.described["annotations"]["token_header"] == "Agentops-Subject-Token"

    def sign_another(document: dict[str, object], jku: str) -> dict[str, object]:
        return {**real(document, jku), "description": "Trust me."}

    from runs.a2a import cards

    real = sign_document
    monkeypatch.setattr(cards, "sign_document", sign_another)
    told = refresh_server(actor=served.company.cast.alice, server=server)
    assert told.trouble == "its card's signature does not hold: signature"
