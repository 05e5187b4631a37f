"""Servers of tools: who may name one, what is taken over from it, and what happens when it says something else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from tests.cast import Cast
from tests.identities.secrets import VALUE, make_secret
from tests.tools.adapters.mcp.server import ToolsServer, serve_tools
from tools.adapters.mcp.definitions import tighten_effect
from tools.models import ServerTool, Tool, ToolServer, ToolVersion
from tools.services import (
    ServerDefinition,
    Takeover,
    accept_tool,
    add_version,
    create_server,
    import_tool,
    refresh_server,
    retire_server,
)
from tools.services.definition import definition_of
from tools.tasks import recheck_server, recheck_servers

pytestmark = [pytest.mark.mcp, pytest.mark.django_db]

REFUND = Takeover("refund", "read", statement="refund order {order}")


@pytest.fixture(scope="module")
def running() -> Iterator[ToolsServer]:
    with serve_tools(ToolsServer()) as server:
        yield server


def name_server(cast: Cast, url: str, slug: str = "shop", **changes: Any) -> ToolServer:
    """Name a server of the team."""
    fields = {"transport": "http", "url": url, "allow_private": True, **changes}
    return create_server(actor=cast.alice, team=cast.team, slug=slug, definition=ServerDefinition(**fields))


@pytest.fixture
def server(cast: Cast, running: ToolsServer) -> ToolServer:
    """Provide a server that has been asked what it has."""
    return refresh_server(actor=cast.alice, server=name_server(cast, running.url))


def listed(server: ToolServer, name: str = "refund") -> ServerTool:
    return ServerTool.objects.get(server=server, name=name)


def take_over(cast: Cast, server: ToolServer, takeover: Takeover = REFUND) -> ToolVersion:
    return import_tool(
        actor=cast.alice,
        described=listed(server, takeover.name),
        takeover=takeover,
        seen=listed(server, takeover.name).digest,
    )


def rewrite(server: ToolServer, **changes: Any) -> None:
    """Have it that something else was accepted than the server says now."""
    row = listed(server)
    ServerTool.objects.filter(pk=row.pk).update(
        accepted={**row.described, **changes}, accepted_digest="0" * 64
    )


def test_what_is_taken_over_is_what_the_server_says_but_stricter(cast: Cast, server: ToolServer) -> None:
    assert (server.trouble, server.listed.count()) == ("", 4)

    version = take_over(cast, server)

    row = listed(server)
    assert (version.adapter, version.effect, version.description) == (
        "mcp",
        "irreversible",
        "Refunds an order.",
    )
    assert version.input_schema == row.described["input_schema"]
    assert version.config["digest"] == row.digest == row.accepted_digest
    assert (row.tool, Tool.objects.get().state) == (version.tool, "active")


@pytest.mark.parametrize(
    ("chosen", "annotations", "effect"),
    [
        ("irreversible", {"readOnlyHint": True}, "irreversible"),
        ("reversible", {"readOnlyHint": True, "destructiveHint": True}, "reversible"),
        ("read", {"readOnlyHint": False}, "reversible"),
        ("read", {"destructiveHint": True}, "irreversible"),
        ("reversible", {"destructiveHint": False, "idempotentHint": True}, "reversible"),
        ("read", {}, "read"),
    ],
)
def test_annotations_only_tighten(chosen: str, annotations: dict[str, bool], effect: str) -> None:
    assert tighten_effect(chosen, annotations) == effect


def test_a_changed_description_quarantines_until_it_is_accepted(cast: Cast, server: ToolServer) -> None:
    tool = take_over(cast, server).tool
    rewrite(server, description="Refunds an order, kindly.")

    recheck_server(str(server.pk))

    tool.refresh_from_db()
    assert (tool.state, listed(server).is_changed) == ("quarantined", True)
    with pytest.raises(StateConflict, match="definition_changed"):
        accept_tool(actor=cast.alice, tool=tool)
    with pytest.raises(StateConflict, match="look again"):
        import_tool(actor=cast.alice, described=listed(server), takeover=REFUND, seen="0" * 64)
    take_over(cast, server)
    tool.refresh_from_db()
    assert (tool.state, listed(server).is_changed) == ("active", False)


def test_a_tool_that_is_gone_is_quarantined_and_one_that_is_as_it_was_is_not(
    cast: Cast, server: ToolServer
) -> None:
    take_over(cast, server)
    take_over(cast, server, Takeover("look_up", "read"))
    ServerTool.objects.filter(name="refund").update(name="refund_all")

    refresh_server(actor=cast.alice, server=server)

    assert dict(Tool.objects.values_list("name", "state")) == {"refund": "quarantined", "look_up": "active"}


def test_a_server_that_does_not_answer_changes_nothing(
    cast: Cast, running: ToolsServer, server: ToolServer
) -> None:
    tool = take_over(cast, server).tool
    running.mishap, running.mishap_at = "500", "tools/list"
    try:
        assert refresh_server(actor=cast.alice, server=server).trouble != ""
    finally:
        running.mishap = ""
    tool.refresh_from_db()
    assert (tool.state, listed(server).is_listed) == ("active", True)


def test_names_are_our_own(cast: Cast, running: ToolsServer, server: ToolServer) -> None:
    take_over(cast, server)
    other = refresh_server(actor=cast.alice, server=name_server(cast, running.url, "other"))
    with pytest.raises(StateConflict, match="already_exists"):
        take_over(cast, other)
    row = listed(other)
    made = import_tool(
        actor=cast.alice,
        described=row,
        takeover=Takeover("other_refund", "read", REFUND.statement),
        seen=row.digest,
    )
    assert (made.tool.name, made.config["tool"]) == ("other_refund", "refund")


def test_what_is_no_sound_schema_is_listed_with_its_faults(cast: Cast, server: ToolServer) -> None:
    ServerTool.objects.filter(server=server).update(faults=["input schema : is elsewhere"])
    with pytest.raises(ValidationFailed, match="elsewhere"):
        take_over(cast, server)


def test_a_server_is_asked_with_its_credential(cast: Cast, running: ToolsServer) -> None:
    make_secret(cast, settings={"header": "X-Api-Key", "scheme": ""})
    server = name_server(cast, running.url, credential="shop-key")
    running.judge = lambda headers, _: "" if headers.get("x-api-key") == VALUE else "who are you?"
    try:
        assert refresh_server(actor=cast.alice, server=server).trouble == ""
        running.judge = lambda headers, _: str(headers)  # a server that quotes what it is sent
        trouble = refresh_server(actor=cast.alice, server=server).trouble
    finally:
        running.judge = None
    assert (trouble, VALUE in trouble) == ("the server listed no tools: it answered 401", False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "ftp://shop.example"}, "http"),
        ({"url": "https://shop.example/{order}"}, "takes none"),
        ({"transport": "stdio", "url": "", "command": "rm"}, "MCP_COMMANDS"),
        ({"transport": "stdio"}, "command for stdio"),
        ({"credential": "none"}, "credential"),
        ({"url": "https://shop.example/mcp", "audience": "https://shop.example"}, "audience"),
    ],
)
def test_what_must_not_be_reached_is_not_named(cast: Cast, changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationFailed, match=words):
        name_server(cast, **{"url": "https://shop.example/mcp", **changes})


def test_a_version_by_hand_leads_nowhere_else(cast: Cast, server: ToolServer) -> None:
    version = take_over(cast, server)
    definition = definition_of(version)
    elsewhere = {**definition.config, "url": "https://elsewhere.example/mcp"}
    changed = type(definition)(**{**definition.values(), "dedupe_on": (), "config": elsewhere})
    with pytest.raises(ValidationFailed, match="what it was created with"):
        add_version(actor=cast.alice, tool=version.tool, definition=changed)


def test_servers_in_use_are_asked_from_time_to_time(cast: Cast, server: ToolServer) -> None:
    name_server(cast, server.url, "unused")
    assert recheck_servers() == 0
    take_over(cast, server)
    take_over(cast, server, Takeover("look_up", "read"))
    assert recheck_servers() == 1
    retire_server(actor=cast.alice, server=server)
    assert recheck_servers() == 0


def test_a_retired_server_takes_its_tools_along(cast: Cast, server: ToolServer) -> None:
    take_over(cast, server)
    retire_server(actor=cast.alice, server=server)
    assert Tool.objects.get().state == "retired"
    for late in (lambda: refresh_server(actor=cast.alice, server=ToolServer.objects.get()),
                 lambda: take_over(cast, server), lambda: retire_server(actor=cast.alice, server=server)):  # fmt: skip
        with pytest.raises(StateConflict, match="server_retired"):
            late()


def test_an_outsider_is_refused(cast: Cast, server: ToolServer) -> None:
    row = listed(server)
    for deed in (
        lambda: create_server(
            actor=cast.charlie, team=cast.team, slug="new", definition=ServerDefinition("http")
        ),
        lambda: refresh_server(actor=cast.charlie, server=server),
        lambda: import_tool(actor=cast.charlie, described=row, takeover=REFUND, seen=row.digest),
        lambda: retire_server(actor=cast.charlie, server=server),
    ):
        with pytest.raises(PolicyDenied):
            deed()
