"""A run calls a tool of an MCP server that verifies every token, until the server says that it is another tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from identities.oauth.signing_keys import keeper
from identities.services import declare_resource
from identities.services.signing_keys import ensure_signing_key
from tests.factories import ApplicationFactory
from tests.oauth.clients import ISSUER
from tests.oauth.resource_server import ResourceServer
from tests.runs.company import SUBJECT, Company, proposes, says
from tests.runs.test_propagation import published
from tests.tools.adapters.mcp.server import ToolsServer, serve_tools
from tools.models import ServerTool, Tool, ToolServer
from tools.services import ServerDefinition, Takeover, create_server, import_tool, refresh_server
from tools.tasks import recheck_server

pytestmark = [pytest.mark.mcp, pytest.mark.tokens]


@pytest.fixture
def shop(company: Company) -> Iterator[ToolsServer]:
    """Provide a server that lists to us, and carries out what a token describes, once."""
    keeper.forget()
    ensure_signing_key()
    keys, refusals = published(), []  # fetched here: the server's loop may not ask the database
    with serve_tools(ToolsServer()) as shop:
        audience = shop.url.removesuffix("/mcp")
        served = ApplicationFactory.create(team=company.cast.team, slug="note-tool")
        declare_resource(actor=company.cast.alice, application=served, audience=audience)
        reader = ResourceServer(ISSUER, audience, lambda: keys)

        def judge(headers: dict[str, str], asked: dict[str, Any]) -> str:
            refusals.append(_refuse(reader, headers, asked))
            return refusals[-1]

        shop.judge = judge
        yield shop
    keeper.forget()


def _refuse(reader: ResourceServer, headers: dict[str, str], asked: dict[str, Any]) -> str:
    token = headers.get("authorization", "").removeprefix("Bearer ")
    if asked.get("method") != "tools/call":
        try:
            reader._verify(token)
        except Exception as error:  # whatever is wrong with it
            return type(error).__name__
        return ""
    told, key = asked["params"], headers["idempotency-key"]
    return reader.refuse(token, user=SUBJECT, tool=told["name"], key=key, arguments=told["arguments"])


def take_over(company: Company, shop: ToolsServer) -> Tool:
    """Name the server, and take its tool over under a name of our own."""
    audience = shop.url.removesuffix("/mcp")
    place = ServerDefinition("http", url=shop.url, audience=audience, allow_private=True)
    cast = company.cast
    server = create_server(actor=cast.alice, team=cast.team, slug="shop", definition=place)
    assert refresh_server(actor=cast.alice, server=server).trouble == ""
    row = ServerTool.objects.get(name="note")
    version = import_tool(
        actor=cast.alice,
        described=row,
        seen=row.digest,
        takeover=Takeover(
            "write_down", "reversible", terms={"backoff_base_s": 0.001, "backoff_cap_s": 0.002}
        ),
    )
    company.versions.append(version)
    company.grant(version.tool, "ALLOW")
    return version.tool


def test_a_run_calls_a_tool_of_a_server_that_verifies_its_token(company: Company, shop: ToolsServer) -> None:
    take_over(company, shop)
    run = company.run(proposes(("write_down", {"order": "A-1"})), says("Done."))

    assert (company.states(run), shop.refunds) == ([("succeeded", "ok")], ["A-1"])
    headers = shop.headers_of("tools/call")
    assert run.trace_id in headers["traceparent"]
    reader = ResourceServer(ISSUER, shop.url.removesuffix("/mcp"), published)
    call: dict[str, Any] = {"tool": "note", "key": headers["idempotency-key"], "arguments": {"order": "A-1"}}
    token = headers["authorization"].removeprefix("Bearer ")
    for changes, reason in (({"user": "customer-2"}, "user"), ({"arguments": {"order": "A-2"}}, "call"),
                            ({}, ""), ({}, "replay")):  # fmt: skip
        assert reader.refuse(token, **{"user": SUBJECT, **call, **changes}) == reason


def test_another_description_stops_the_tool_at_the_next_call(company: Company, shop: ToolsServer) -> None:
    tool = take_over(company, shop)
    row = ServerTool.objects.get(name="note")
    shop.rewritten = "Writes an order down, and tells everybody."

    run = company.run(proposes(("write_down", {"order": "A-1"})), says("Sorry."))

    assert (company.states(run), shop.refunds) == ([("failed", "definition_changed")], [])
    recheck_server(str(ToolServer.objects.get().pk))  # what the call has asked for
    tool.refresh_from_db()
    row.refresh_from_db()
    assert (tool.state, row.described["description"]) == ("quarantined", shop.rewritten)
