"""Tools that call agents in a document: they come after the agents, and before the grants."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from identities.models import AgentIdentity, User
from tests.runs.provisioning.document import apply, edited
from tools.models import ToolGrant

pytestmark = [pytest.mark.django_db, pytest.mark.setup, pytest.mark.slow]
SHARE = {"steps": 2, "tokens": 500, "usd": "0.10", "seconds": 20}


def supervise(document: dict[str, Any]) -> None:
    """Let the desk's agent give tasks to a clerk; both are new."""
    agent = document["agents"]["desk-agent"]
    document["agents"]["clerk"] = {**agent, "name": "Clerk", "grants": {"look_up": {"decision": "ALLOW"}}}
    document["tools"]["ask_clerk"] = {
        "team": "desk", "description": "Gives the clerk a task.", "effect": "read", "idempotency": "none",
        "adapter": "agent", "config": {"agent": "clerk", "share": SHARE},
        "input_schema": {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"],
                         "additionalProperties": False},
    }  # fmt: skip
    agent["grants"] = {**agent["grants"], "ask_clerk": {"decision": "ALLOW"}}


def test_agents_and_the_tools_that_call_them_are_set_up_from_one_file(ada: User) -> None:
    apply(ada, edited(supervise))
    grant = ToolGrant.objects.get(tool__name="ask_clerk")
    assert grant.identity == AgentIdentity.objects.get(slug="desk-agent")
    assert apply(ada, edited(supervise)).is_empty


def test_an_agent_that_is_not_there_cannot_be_called(ada: User) -> None:
    def misspell(document: dict[str, Any]) -> None:
        supervise(document)
        document["tools"]["ask_clerk"]["config"]["agent"] = "clark"

    with pytest.raises(ValidationFailed, match=r"tools/ask_clerk.*the slug of an agent"):
        apply(ada, edited(misspell))
