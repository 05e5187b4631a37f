"""What if: the answer is what a real call would get, and asking leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from agentops.ledger.models import Entry
from identities.models import AgentIdentity
from identities.services import suspend_agent, throw_switch
from runs.what_if import foresee_call
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import sign_in, text_of
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tools.models import Tool
from tools.services import force_breaker_open

__all__ = ["callers", "keys"]  # of the API

Setting = Callable[[Company], object]


def allowed(company: Company) -> None:
    company.add_tool("refund")


def gated(company: Company) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)


def irreversible(company: Company) -> None:
    company.let_decide(company.add_tool("refund", effect="irreversible").tool)


def denied(company: Company) -> None:
    company.add_tool("refund", grant="DENY")


def not_granted(company: Company) -> None:
    company.add_tool("refund", grant=None)


def quarantined(company: Company) -> None:
    allowed(company)
    Tool.objects.update(state="quarantined")


def not_offered(company: Company) -> None:
    company.add_tool("cancel")


def invalid(company: Company) -> None:
    schema = {"type": "object", "properties": {"order_id": {"type": "integer"}}}
    company.add_tool("refund", input_schema=schema)


# How things are set up, and what becomes of the first call that a run makes then.
SETTINGS: list[tuple[Setting, tuple[str, str]]] = [
    (allowed, ("ALLOW", "allowed")),
    (gated, ("REQUIRE_APPROVAL", "approval_required")),
    (irreversible, ("REQUIRE_APPROVAL", "irreversible")),
    (denied, ("DENY", "denied_by_grant")),
    (not_granted, ("DENY", "no_grant")),
    (quarantined, ("DENY", "tool_quarantined")),
    (not_offered, ("DENY", "not_allow_listed")),
    (invalid, ("DENY", "invalid_arguments")),
]


def ask(company: Company, arguments: Any = ORDER) -> tuple[str, str]:
    decision = foresee_call(company.cast.agent, "refund", arguments, issuer=ISSUER, subject=SUBJECT)
    return decision.verdict, decision.code


@pytest.mark.parametrize(("setting", "expected"), SETTINGS, ids=[each.__name__ for each, _ in SETTINGS])
def test_it_says_what_happens_to_a_real_call(
    company: Company, setting: Setting, expected: tuple[str, str]
) -> None:
    setting(company)
    company.publish()
    assert ask(company) == expected
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    state, code = company.states(run)[0]
    verdict = {"succeeded": "ALLOW", "waiting": "REQUIRE_APPROVAL", "refused": "DENY"}[state]
    assert verdict == expected[0]
    assert verdict != "DENY" or code == expected[1]


def test_an_agent_without_a_published_version_makes_no_call(company: Company) -> None:
    assert ask(company) == ("DENY", "nothing_published")


STOPS: list[tuple[Setting, str]] = [
    (lambda c: suspend_agent(actor=c.cast.alice, agent=c.cast.agent), "identity_suspended"),
    (lambda c: throw_switch(actor=c.cast.ada, scope="everything", reason="Fire."), "everything_stopped"),
    (
        lambda c: throw_switch(
            actor=c.cast.ada, scope="principal", target=str(c.start().principal_id), reason="Fire."
        ),
        "principal_stopped",
    ),
    (
        lambda c: force_breaker_open(actor=c.cast.alice, tool=c.versions[0].tool, reason="Fire."),
        "forced_open",
    ),
]


@pytest.mark.parametrize(("stop", "code"), STOPS, ids=[code for _, code in STOPS])
def test_it_heeds_what_was_stopped(company: Company, stop: Setting, code: str) -> None:
    allowed(company)
    company.publish()
    assert ask(company) == ("ALLOW", "allowed")
    stop(company)
    assert ask(company) == ("DENY", code)


def test_reasons_say_by_whose_authority(company: Company) -> None:
    gated(company)
    company.publish()
    decision = foresee_call(company.cast.agent, "refund", ORDER, issuer=ISSUER, subject=SUBJECT)
    assert [reason.source for reason in decision.reasons] == ["user", "agent", "tool", "agent", "agent"]


def test_asking_leaves_no_trace(company: Company) -> None:
    allowed(company)
    company.publish()
    before = Entry.objects.count()
    ask(company)
    assert (Entry.objects.count(), company.world.attempts) == (before, [])


# --- in the console and the API ---------------------------------------------------------------------------


def page_for(agent: AgentIdentity) -> str:
    return reverse("admin:runs_what_if", args=[agent.pk])


def test_the_page_shows_the_decision(company: Company) -> None:
    gated(company)
    company.publish()
    bob = sign_in(company.cast.bob)
    assert "What if" in text_of(
        bob.get(reverse("admin:identities_agentidentity_change", args=[company.cast.agent.pk]))
    )
    shown = text_of(
        bob.post(page_for(company.cast.agent), {"tool": "refund", "arguments": '{"order_id": "A-1"}'})
    )
    assert "the grant asks for a person" in shown
    assert "A person would be asked: approval required" in shown
    empty = text_of(bob.post(page_for(company.cast.agent), {"tool": "refund", "arguments": "{}"}))
    assert "invalid_arguments" in empty
    faulty = bob.post(page_for(company.cast.agent), {"tool": "refund", "arguments": "{"})
    assert faulty.status_code == 422


def test_an_outsider_is_told_nothing(company: Company, callers: Callers) -> None:
    gated(company)
    company.publish()
    agent = company.cast.agent
    assert sign_in(company.cast.charlie).get(page_for(agent)).status_code == 404
    body = {"tool": "refund", "arguments": ORDER}
    for caller in (callers.charlie, callers.stranger):
        assert caller.post(f"/agents/{agent.pk}/what-if", body).status in (401, 404)


def test_the_api_answers_with_reasons(company: Company, callers: Callers) -> None:
    gated(company)
    company.publish()
    principal = {"issuer": ISSUER, "subject": SUBJECT}
    body = {"tool": "refund", "arguments": ORDER, "principal": principal}
    answer = callers.app.post(f"/agents/{company.cast.agent.pk}/what-if", body)
    assert (answer.status, answer.body["verdict"]) == (200, "REQUIRE_APPROVAL")
    assert answer.body["reasons"][-1]["code"] == "approval_required"
    assert callers.app.post(f"/agents/{company.cast.agent.pk}/what-if", {"tool": "refund"}).status == 422
