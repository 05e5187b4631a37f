"""Each guard of what operators do through the API taken away: without it, something goes on that should not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from identities.api import lifecycle, switches, views
from identities.changes import set_rule
from identities.models import AgentIdentity, KillSwitch
from identities.services import agents, kill_switches, recertification
from tests.api.caller import Answer, Caller
from tests.api.conftest import Callers
from tests.api.test_operating import WHY, agent, fresh, tell
from tests.cast import Cast
from tests.rewriting import rewrite
from tests.verbs import switch_of, tool_of
from tools.models import Tool
from tools.services import catalogue, quarantine_tool

__all__ = ["agent", "fresh"]  # fixtures

Patch = pytest.MonkeyPatch
Act = Callable[[Caller, AgentIdentity, KillSwitch, Tool], Answer]


def recertify(caller: Caller, agent: AgentIdentity, days: int = 9) -> Answer:
    until = (timezone.now() + timedelta(days=days)).isoformat()
    return tell(caller, agent, "recertify", recertify_by=until, looked_at="All.")


# What is done, where its guards stand, and what asks whether this person may.
ACTS: dict[str, tuple[Act, Any, str]] = {
    "activate": (lambda caller, agent, switch, tool: tell(caller, agent, "activate"), agents, "enforce"),
    "revoke": (lambda caller, agent, switch, tool: tell(caller, agent, "revoke", **WHY), agents, "enforce"),
    "recertify": (lambda caller, agent, switch, tool: recertify(caller, agent), recertification, "enforce"),
    "lift": (
        lambda caller, agent, switch, tool: caller.post(f"/switches/{switch.pk}/lift", WHY),
        kill_switches,
        "enforce",
    ),
    "accept": (
        lambda caller, agent, switch, tool: caller.post(f"/tools/{tool.pk}/accept", WHY),
        catalogue,
        "require",
    ),
}


@pytest.fixture
def switch(cast: Cast) -> KillSwitch:
    return switch_of(cast)


@pytest.fixture
def tool(cast: Cast) -> Tool:
    return quarantine_tool(actor=cast.ada, tool=tool_of(cast), reason="It burns.")


@pytest.mark.parametrize("name", ["activate", "revoke", "recertify", "lift"])
def test_a_stale_factor_would_do(
    callers: Callers, agent: AgentIdentity, switch: KillSwitch, tool: Tool, monkeypatch: Patch, name: str
) -> None:
    act, module, _ = ACTS[name]
    assert act(callers.ada, agent, switch, tool).code == "second_factor_required"
    monkeypatch.setattr(module, "require_fresh_factor", lambda actor: None)
    assert act(callers.ada, agent, switch, tool).status == 200


@pytest.mark.parametrize("name", ACTS)
def test_anybody_of_the_team_could(
    callers: Callers, agent: AgentIdentity, switch: KillSwitch, tool: Tool, fresh: None, monkeypatch: Patch,
    name: str,
) -> None:  # fmt: skip
    act, module, asks = ACTS[name]
    assert act(callers.bob, agent, switch, tool).status == 403
    monkeypatch.setattr(module, asks, lambda *_: None)
    assert act(callers.bob, agent, switch, tool).status == 200


def test_a_stranger_would_learn_that_there_is_such_an_agent(
    callers: Callers, agent: AgentIdentity, fresh: None, monkeypatch: Patch
) -> None:
    assert tell(callers.charlie, agent, "revoke", **WHY).status == 404
    rewrite(monkeypatch, views, "find_agent", "visible_to(user)", "all()")
    monkeypatch.setattr(lifecycle, "find_agent", views.find_agent)
    assert tell(callers.charlie, agent, "revoke", **WHY).status == 403


def test_one_person_would_get_as_far_as_the_database_where_a_rule_asks_for_two(
    callers: Callers, cast: Cast, agent: AgentIdentity, fresh: None, monkeypatch: Patch
) -> None:
    set_rule(actor=cast.ada, verb="agent.activate", team=None, needs="two")
    assert tell(callers.ada, agent, "activate").code == "second_person_needed"
    monkeypatch.setattr(agents, "clear_change", lambda actor, change: {})
    assert tell(callers.ada, agent, "activate").status == 500
    agent.refresh_from_db()
    assert agent.state == "suspended", "a trigger holds it, too"


def test_what_was_ended_for_good_would_act_again(
    callers: Callers, agent: AgentIdentity, fresh: None, monkeypatch: Patch
) -> None:
    tell(callers.ada, agent, "revoke", **WHY)
    assert tell(callers.ada, agent, "activate").code == "wrong_state"
    rewrite(monkeypatch, agents, "_move", "if agent.state not in allowed_from:", "if False:")
    monkeypatch.setattr(agents, "check_activation", lambda agent: None)
    assert tell(callers.ada, agent, "activate").status == 500
    agent.refresh_from_db()
    assert agent.state == "revoked", "a trigger holds it, too"


def test_a_date_that_is_past_would_do(
    callers: Callers, agent: AgentIdentity, fresh: None, monkeypatch: Patch
) -> None:
    assert recertify(callers.ada, agent, days=-1).code == "invalid_date"
    bounds = "if not now < recertify_by <= now + LONGEST:"
    unbound = rewrite(monkeypatch, recertification, "recertify_agent", bounds, "if False:")
    monkeypatch.setattr(lifecycle, "recertify_agent", unbound)
    assert recertify(callers.ada, agent, days=-1).status == 200


def test_a_switch_would_be_lifted_twice(
    callers: Callers, switch: KillSwitch, fresh: None, monkeypatch: Patch
) -> None:
    path = f"/switches/{switch.pk}/lift"
    assert callers.ada.post(path, WHY).status == 200
    assert callers.ada.post(path, WHY).code == "switch_lifted"
    again = rewrite(monkeypatch, kill_switches, "lift_switch", "locked.lifted_at is not None", "False")
    monkeypatch.setattr(switches, "lift_switch", again)
    assert callers.ada.post(path, WHY).status == 500, "a trigger holds it, too"
