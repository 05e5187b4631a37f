"""An agent that was stopped comes back only with the guardrails that a start of production asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentops.errors import ValidationFailed
from identities.models import AgentIdentity
from identities.services import activate_agent, suspend_agent
from runs.publishing import publish_version, retire_version
from tests.cast import Cast
from tests.console.visits import act, sign_in
from tests.ledger import kinds_of
from tests.runs.guardrails import SPOILED, leave_group, make_whole_version

DENIED = [spoil for spoil, code in SPOILED if code in {"no_grant", "grant_denies", "tool_not_in_service"}]


@pytest.fixture
def suspended(cast: Cast) -> AgentIdentity:
    """An agent with a published version that lacked nothing when somebody stopped it."""
    publish_version(actor=cast.alice, version=make_whole_version(cast))
    return suspend_agent(actor=cast.alice, agent=cast.agent, reason="a complaint")


def test_a_whole_agent_comes_back(cast: Cast, suspended: AgentIdentity) -> None:
    assert activate_agent(actor=cast.alice, agent=suspended).state == "active"


def test_without_its_approver_it_does_not(cast: Cast, suspended: AgentIdentity) -> None:
    leave_group(cast)

    with pytest.raises(ValidationFailed, match=r"v1 lacks a guardrail.*nobody who could give it") as refusal:
        activate_agent(actor=cast.alice, agent=suspended)
    assert [finding.code for finding in refusal.value.problems] == ["no_approver"]
    suspended.refresh_from_db()
    assert suspended.state == "suspended"
    assert kinds_of(suspended.id)[-1] == "agent.suspended"


@pytest.mark.parametrize("spoil", DENIED)
def test_what_only_denies_keeps_nobody_away(
    cast: Cast, suspended: AgentIdentity, spoil: Callable[[Cast], None]
) -> None:
    spoil(cast)
    assert activate_agent(actor=cast.alice, agent=suspended).state == "active"


@pytest.mark.parametrize("repair", ["group", "retire"])
def test_it_comes_back_repaired_or_without_the_version(
    cast: Cast, suspended: AgentIdentity, repair: str
) -> None:
    leave_group(cast)
    if repair == "group":
        cast.fiona.groups.add(cast.finance)
    else:
        retire_version(actor=cast.alice, version=suspended.versions.get())
    assert activate_agent(actor=cast.alice, agent=suspended).state == "active"


def test_the_console_says_what_is_missing(cast: Cast, suspended: AgentIdentity) -> None:
    leave_group(cast)
    page = act(sign_in(cast.alice), "identities_agentidentity", "activate", suspended.pk)
    assert "there is nobody who could give it" in page.content.decode()
    suspended.refresh_from_db()
    assert suspended.state == "suspended"
