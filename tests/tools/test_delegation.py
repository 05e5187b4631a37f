"""The tool that calls an agent: what its definition has to say, and what cannot call it."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from agentops.errors import ValidationFailed
from tests.cast import Cast
from tests.factories import AgentFactory
from tests.tools.execution import make_call, make_spec
from tools.adapters.agent import AgentAdapter
from tools.adapters.base import AdapterOptions
from tools.delegation import find_faults, read_terms
from tools.services import ToolDefinition, add_version, create_tool

CONFIG: dict[str, Any] = {
    "agent": "researcher",
    "share": {"steps": 5, "tokens": 20_000, "usd": "0.50", "seconds": 120},
}


def with_(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(CONFIG), **changes}


def with_share(**changes: Any) -> dict[str, Any]:
    return with_(share={**CONFIG["share"], **changes})


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({}, 'add "agent"'),
        (with_(agent=3), 'add "agent"'),
        (with_(url="http://x"), "remove 'url'"),
        ({"agent": "researcher"}, 'add "share"'),
        (with_(share={"steps": 5}), 'add "share"'),
        (with_(share=[1]), 'add "share"'),
        (with_share(steps=0), "set steps"),
        (with_share(tokens=True), "set tokens"),
        (with_share(seconds="5"), "set seconds"),
        (with_share(seconds=10**12), "set seconds"),
        (with_share(usd=0.5), "set usd"),
        (with_share(usd="-1"), "set usd"),
        (with_share(usd="0.00001"), "set usd"),
        (with_share(usd="NaN"), "set usd"),
        (with_share(usd="1e99"), "set usd"),
        (with_share(usd="much"), "set usd"),
        (with_(join="all"), "join: give"),
        (with_(join={"policy": "most"}), "join: give"),
        (with_(join={"policy": "all", "needed": 2}), "join: give"),
        (with_(join={"policy": "quorum"}), "how many are needed"),
        (with_(join={"policy": "quorum", "needed": 0}), "set needed"),
        (with_(join={"policy": "any", "group": ""}), "name the group"),
    ],
)
def test_what_is_wrong_is_said_with_its_remedy(config: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in find_faults(config)), find_faults(config)


@pytest.mark.parametrize(
    ("join", "read"),
    [
        (None, ("", "all", 1)),
        ({"policy": "all"}, ("", "all", 1)),
        ({"policy": "any"}, ("ask", "any", 1)),
        ({"policy": "first_success"}, ("ask", "quorum", 1)),
        ({"policy": "quorum", "needed": 2, "group": "opinions"}, ("opinions", "quorum", 2)),
    ],
)
def test_terms_are_read(join: dict[str, Any] | None, read: tuple[str, str, int]) -> None:
    config = with_(**({"join": join} if join else {}))
    assert find_faults(config) == []
    terms = read_terms("ask", config)
    assert (terms.agent, terms.steps, terms.usd, terms.join) == ("researcher", 5, Decimal("0.5"), read)


DEFINITION: dict[str, Any] = {
    "description": "Gives the researcher a task.",
    "effect": "read",
    "idempotency": "none",
    "adapter": "agent",
    "config": CONFIG,
    "input_schema": {
        "type": "object",
        "properties": {"topic": {"type": "string"}},
        "additionalProperties": False,
    },
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({}, ""),
        ({"effect": "reversible"}, "it is a read"),
        ({"max_concurrency": 2}, "max_concurrency"),
        ({"config": with_(agent="nobody")}, "the slug of an agent"),
        ({"config": with_(agent="elsewhere")}, "the slug of an agent"),
        ({"config": {"agent": "researcher"}}, 'add "share"'),
    ],
)
def test_a_version_is_added_only_if_it_can_be_called(cast: Cast, change: dict[str, Any], fault: str) -> None:
    AgentFactory.create(team=cast.team, slug="researcher")
    AgentFactory.create(team=cast.other_team, slug="elsewhere")
    tool = create_tool(actor=cast.alice, team=cast.team, name="ask_researcher")
    definition = ToolDefinition(**{**DEFINITION, **change})
    if not fault:
        assert add_version(actor=cast.alice, tool=tool, definition=definition).adapter == "agent"
        return
    with pytest.raises(ValidationFailed, match=fault):
        add_version(actor=cast.alice, tool=tool, definition=definition)


def test_what_has_no_run_cannot_call_it() -> None:
    adapter, call = AgentAdapter(AdapterOptions()), make_call(make_spec(adapter="agent", config=CONFIG))
    outcome = adapter.invoke(call, timeout_s=1)
    assert (outcome.status, outcome.code, outcome.retryable) == ("failed", "not_allowed", False)
    assert adapter.read_back(call, timeout_s=1) is None
