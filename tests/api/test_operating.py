"""Operators through the API: what was stopped goes on, or ends for good, by the verbs of the console."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from identities.changes import set_rule
from identities.models import AgentIdentity, ApiKey, KillSwitch
from identities.services import lift_switch, suspend_agent, throw_switch
from tests.api.caller import Answer, Caller
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.ledger import last_entry
from tests.verbs import switch_of, tool_of
from tools.services import quarantine_tool

WHY = {"reason": "It is over."}


@pytest.fixture
def fresh(callers: Callers) -> None:
    """Let everybody's key open its window."""
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=1))


@pytest.fixture
def agent(cast: Cast) -> AgentIdentity:
    """An agent that somebody stopped."""
    suspended: AgentIdentity = suspend_agent(actor=cast.ada, agent=cast.agent)
    return suspended


def tell(caller: Caller, agent: AgentIdentity, act: str, key: str = "", **body: object) -> Answer:
    return caller.post(f"/agents/{agent.pk}/{act}", body, key=key)


def test_an_agent_acts_again_and_then_never_more(callers: Callers, agent: AgentIdentity, fresh: None) -> None:
    done, again = (tell(callers.ada, agent, "activate", key="once") for _ in range(2))
    assert (done.body["state"], again.headers["Idempotent-Replayed"]) == ("active", "true")
    assert tell(callers.ada, agent, "activate").code == "wrong_state"
    assert tell(callers.ada, agent, "revoke").code == "validation_failed", "without a reason"
    assert tell(callers.ada, agent, "revoke", **WHY).body["state"] == "revoked"
    entry = last_entry(agent.pk)
    assert (entry.kind, entry.content) == ("agent.revoked", {"reason": "It is over."})
    assert tell(callers.ada, agent, "activate").code == "wrong_state"


def test_an_agent_is_looked_at_again(callers: Callers, agent: AgentIdentity, fresh: None) -> None:
    until = (timezone.now() + timedelta(days=90)).replace(microsecond=0)
    looked = {"recertify_by": until.isoformat(), "looked_at": "Its last runs."}
    assert tell(callers.ada, agent, "recertify", **looked).status == 200
    agent.refresh_from_db()
    assert agent.recertify_by == until
    late = {**looked, "recertify_by": (timezone.now() - timedelta(days=1)).isoformat()}
    assert tell(callers.ada, agent, "recertify", **late).code == "invalid_date"


def test_a_rule_has_two_people_let_it_act(
    callers: Callers, cast: Cast, agent: AgentIdentity, fresh: None
) -> None:
    set_rule(actor=cast.ada, verb="agent.activate", team=None, needs="two")
    assert tell(callers.ada, agent, "activate").code == "second_person_needed"
    agent.refresh_from_db()
    assert agent.state == "suspended"


def test_a_switch_is_listed_and_lifted_once(callers: Callers, cast: Cast, fresh: None) -> None:
    thrown = throw_switch(actor=cast.ada, scope="everything", reason="Fire.")
    lift_switch(actor=cast.ada, switch=switch_of(cast), reason="Over.")
    [listed] = callers.bob.get("/switches?thrown=true").body["data"]
    assert (listed["id"], listed["scope"], listed["thrown_by"]) == (str(thrown.pk), "everything", "ada")
    assert len(callers.bob.get("/switches?thrown=false").body["data"]) == 1
    lifted = callers.ada.post(f"/switches/{thrown.pk}/lift", WHY).body
    assert lifted["lifted_by"] == "ada"
    assert callers.ada.post(f"/switches/{thrown.pk}/lift", WHY).code == "switch_lifted"


def test_a_tool_that_was_stopped_is_accepted(callers: Callers, cast: Cast, fresh: None) -> None:
    tool = quarantine_tool(actor=cast.ada, tool=tool_of(cast), reason="It burns.")
    assert callers.ada.post(f"/tools/{tool.pk}/accept", WHY).body["state"] == "active"
    assert last_entry(tool.pk).content == {"reason": "It is over."}
    assert callers.ada.post(f"/tools/{tool.pk}/accept", WHY).status == 409


def test_a_stale_factor_lets_nothing_go_on(callers: Callers, cast: Cast, agent: AgentIdentity) -> None:
    looked = {"recertify_by": (timezone.now() + timedelta(days=9)).isoformat(), "looked_at": "All."}
    switch = switch_of(cast)
    answers = [
        tell(callers.ada, agent, "activate"),
        tell(callers.ada, agent, "revoke", **WHY),
        tell(callers.ada, agent, "recertify", **looked),
        callers.ada.post(f"/switches/{switch.pk}/lift", WHY),
    ]
    assert {answer.code for answer in answers} == {"second_factor_required"}
    assert KillSwitch.objects.thrown().exists()


@pytest.mark.parametrize(("who", "status"), [("bob", 403), ("charlie", 404), ("app", 404)])
def test_whom_it_is_not_for_moves_nothing(
    callers: Callers, cast: Cast, agent: AgentIdentity, fresh: None, who: str, status: int
) -> None:
    caller: Caller = getattr(callers, who)
    switch, tool = switch_of(cast), quarantine_tool(actor=cast.ada, tool=tool_of(cast), reason="It burns.")
    answers = [
        tell(caller, agent, "revoke", **WHY),
        caller.post(f"/switches/{switch.pk}/lift", WHY),
        caller.post(f"/tools/{tool.pk}/accept", WHY),
    ]
    # An application may know of the agents that it may start.
    assert {answer.status for answer in answers} <= {status, 403}
    agent.refresh_from_db()
    tool.refresh_from_db()
    assert (agent.state, tool.state, switch.state) == ("suspended", "quarantined", "thrown")
