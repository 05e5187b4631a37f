"""What a tool calls, and which definition of it an agent uses, is not one person's to change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import ProgrammingError, transaction

from identities.changes import activate, do_or_propose
from identities.models import ChangeProposal
from runs.models import AgentVersion
from runs.publishing import publish_version
from tests.cast import Cast, let_govern
from tests.factories import AgentVersionFactory, GrantFactory, PriceFactory, ToolVersionFactory
from tools.models import ToolVersion
from tools.services import ToolDefinition, add_version, catalogue
from tools.services.definition import definition_of

pytestmark = [pytest.mark.django_db, pytest.mark.authority]

ELSEWHERE = {"method": "POST", "url": "https://elsewhere.example/collect"}
CALLS_ELSE = {
    "another address": ({"config": ELSEWHERE}, "definition.config"),
    "a network inside": ({"config": {**ELSEWHERE, "allow_private": True}}, "definition.config"),
    "caps in another currency": ({"currency": "JPY"}, "definition.currency"),
    "caps of something else": ({"amount_argument": ""}, "amount_argument"),
}


@pytest.fixture
def version(cast: Cast) -> ToolVersion:
    """Provide a tool that is defined, priced for and granted; from here on what loosens takes two people."""
    let_govern(cast.bob)
    PriceFactory.create(model="test-model")
    made: ToolVersion = ToolVersionFactory.create(tool__team=cast.team, effect="read", timeout_s=2.5)
    GrantFactory.create(identity=cast.agent, tool=made.tool, decision="ALLOW")
    return made


def define(cast: Cast, version: ToolVersion, **changes: Any) -> Any:
    """Let Alice define the tool anew."""
    values = definition_of(version).values() | {"dedupe_on": (), **changes}
    return do_or_propose(
        actor=cast.alice,
        act=lambda: add_version(actor=cast.alice, tool=version.tool, definition=ToolDefinition(**values)),
    )


@pytest.mark.parametrize(("changes", "loosening"), CALLS_ELSE.values(), ids=CALLS_ELSE)
def test_what_a_tool_calls_takes_two(
    version: ToolVersion, governed: Cast, changes: dict[str, Any], loosening: str
) -> None:
    made = define(governed, version, **changes, timeout_s=3.5)
    assert isinstance(made, ChangeProposal)
    assert made.loosening == [loosening]
    # The second person reads what differs, not its digest alone.
    (name, value), *_ = changes.items()
    assert made.before is not None
    assert (made.before[loosening], made.after[loosening]) == (getattr(version, name), value)
    assert (made.before["definition.timeout_s"], made.after["definition.timeout_s"]) == ("2.5", "3.5")
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        ToolVersionFactory.create(**{**of_tool(version), **changes})
    assert activate(actor=governed.bob, proposal=made, second_factor=True).state == "activated"
    assert getattr(version.tool.versions.get(number=2), name) == value


@pytest.mark.parametrize("limit", [5, None])
def test_to_let_more_calls_be_under_way_takes_two(
    version: ToolVersion, governed: Cast, limit: int | None
) -> None:
    assert define(governed, version, max_concurrency=2).number == 2, "to ask for a limit loosens nothing"
    assert define(governed, version, max_concurrency=1).number == 3
    made = define(governed, version, max_concurrency=limit)
    assert isinstance(made, ChangeProposal)
    assert made.loosening == ["definition.max_concurrency"]
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        ToolVersionFactory.create(**of_tool(version), number=4, max_concurrency=limit)
    assert activate(actor=governed.bob, proposal=made, second_factor=True).state == "activated"
    assert version.tool.versions.get(number=4).max_concurrency == limit


SHOWN = {
    "tool": "look",
    "changes": [{"label": "Order", "type": "status", "before": "/status", "after": "sent"}],
}


@pytest.fixture
def changing(cast: Cast) -> ToolVersion:
    """Provide a tool that changes something, beside one that can show what."""
    let_govern(cast.bob)
    look = {"tool__name": "look", "effect": "read", "input_schema": {"type": "object"}}
    ToolVersionFactory.create(tool__team=cast.team, **look)
    made: ToolVersion = ToolVersionFactory.create(tool__team=cast.team)
    GrantFactory.create(identity=cast.agent, tool=made.tool, decision="ALLOW")
    return made


@pytest.mark.parametrize("other", [None, {**SHOWN, "pin": "shown"}])
def test_to_show_people_something_else_takes_two(
    changing: ToolVersion, governed: Cast, other: dict[str, Any] | None
) -> None:
    assert define(governed, changing, preview=SHOWN).number == 2, "to show something loosens nothing"
    made = define(governed, changing, preview=other)
    assert isinstance(made, ChangeProposal)
    assert made.loosening == ["definition.preview"]
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        ToolVersionFactory.create(**of_tool(changing), number=3, preview=other)
    assert activate(actor=governed.bob, proposal=made, second_factor=True).state == "activated"
    assert changing.tool.versions.get(number=3).preview == other


def of_tool(version: ToolVersion) -> dict[str, Any]:
    return {"tool": version.tool, "effect": version.effect, "config": version.config}


def test_to_go_back_to_a_laxer_definition_takes_two(version: ToolVersion, governed: Cast) -> None:
    """A tool was called too mild; whoever publishes cannot undo that by pinning the version before."""
    publish = partial(publication, governed)
    stricter = define(governed, version, effect="reversible")
    assert isinstance(stricter, ToolVersion)
    assert publish(stricter)().state == "published"

    made = publish(version)()
    assert isinstance(made, ChangeProposal)
    assert (made.loosening, made.before and made.before["catalogue"], made.after["catalogue"]) == (
        ["catalogue"], [str(stricter)], [str(version)],
    )  # fmt: skip
    draft = AgentVersion.objects.get(pk=made.arguments["version"])
    AgentVersion.objects.filter(state="published").update(state="retired")
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        AgentVersion.objects.filter(pk=draft.pk).update(state="published")
    assert activate(actor=governed.bob, proposal=made, second_factor=True).state == "activated"
    assert publish(version, instructions="Help more.")().state == "published"  # two signed it once


def publication(cast: Cast, version: ToolVersion, **fields: Any) -> Callable[[], Any]:
    """Return how Alice publishes a draft whose agent calls this version of the tool."""
    draft = AgentVersionFactory.create(identity=cast.agent, catalogue=[version], **fields)
    act = partial(publish_version, actor=cast.alice, version=draft)
    return lambda: do_or_propose(actor=cast.alice, act=act)


LOOKED_UP = {"order_id": {"tool": "find_orders", "value": "id", "fresh_s": 60}}
OTHERWISE: dict[str, dict[str, Any]] = {
    "not at all": {},
    "from older lists": {"order_id": {**LOOKED_UP["order_id"], "fresh_s": 61}},
    "from no list": {"order_id": {"tool": "find_orders", "value": "id"}},
    "with another tool": {"order_id": {**LOOKED_UP["order_id"], "tool": "find_anything"}},
}
TIGHTER: dict[str, dict[str, Any]] = {
    "from newer lists": {"order_id": {**LOOKED_UP["order_id"], "fresh_s": 9.5}},
    "one more": {**LOOKED_UP, "amount": {"tool": "find_orders", "value": "id"}},
}


@pytest.mark.parametrize("resolvers", OTHERWISE.values(), ids=OTHERWISE)
def test_to_look_up_otherwise_takes_two(
    version: ToolVersion, governed: Cast, monkeypatch: pytest.MonkeyPatch, resolvers: dict[str, Any]
) -> None:
    monkeypatch.setattr(catalogue, "find_resolver_faults", lambda *_: [])  # which another test looks at
    made = define(governed, version, resolvers=LOOKED_UP)
    assert isinstance(made, ToolVersion)
    proposed = define(governed, version, resolvers=resolvers)
    assert isinstance(proposed, ChangeProposal)
    assert proposed.loosening == ["definition.resolvers"]
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        ToolVersionFactory.create(**of_tool(version), number=3, resolvers=resolvers)


@pytest.mark.parametrize("resolvers", TIGHTER.values(), ids=TIGHTER)
def test_to_look_up_more_takes_one(
    version: ToolVersion, governed: Cast, monkeypatch: pytest.MonkeyPatch, resolvers: dict[str, Any]
) -> None:
    monkeypatch.setattr(catalogue, "find_resolver_faults", lambda *_: [])
    define(governed, version, resolvers=LOOKED_UP)
    assert isinstance(define(governed, version, resolvers=resolvers), ToolVersion)
