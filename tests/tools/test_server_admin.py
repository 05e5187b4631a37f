"""The pages of servers of tools: naming one, asking it, taking a tool over, and seeing what has changed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from identities.changes import activate
from identities.models import ChangeProposal
from tests.cast import Cast, let_govern
from tests.console.visits import act, page_of, sign_in, text_of
from tests.tools.adapters.mcp.server import ToolsServer, serve_tools
from tests.tools.functions import shop
from tests.tools.functions.stand_ins import change_hint, forget_stand_ins
from tests.tools.openapi.documents import SHOP
from tools.models import ServerTool, Tool, ToolServer

pytestmark = [pytest.mark.mcp, pytest.mark.django_db, pytest.mark.console, pytest.mark.slow]

SERVER = "tools_toolserver"


@pytest.fixture
def running() -> Iterator[ToolsServer]:
    with serve_tools(ToolsServer()) as server:
        yield server


def test_from_an_address_to_a_tool_and_to_its_change(cast: Cast, running: ToolsServer) -> None:
    alice = sign_in(cast.alice)
    form = {
        "team": cast.team.pk,
        "slug": "shop",
        "transport": "http",
        "url": running.url,
        "allow_private": "on",
    }
    alice.post(page_of(SERVER, "add"), form)
    server = ToolServer.objects.get()
    act(alice, SERVER, "refresh", server.pk)
    row = ServerTool.objects.get(name="note")
    address = page_of(SERVER, "import", server.pk, row.pk)
    assert "Writes an order down." in text_of(alice.get(address))

    taken = alice.post(
        address,
        {"name": "note", "effect": "read", "idempotency": "none", "statement": "", "seen": row.digest},
        follow=True,
    )
    assert "The tool note v1 is there: read." in text_of(taken)
    assert "It is note of the server shop" in text_of(taken)

    running.rewritten = "Writes an order down, twice."
    act(alice, SERVER, "refresh", server.pk)
    tool = Tool.objects.get()
    page = text_of(alice.get(page_of("tools_tool", "change", tool.pk)))
    for words in (
        "quarantined",
        "describes it differently now",
        "Writes an order down. Writes an order down, twice.",
    ):
        assert words in page
    assert "Writes an order down, twice." in text_of(alice.get(address))
    assert "See what has changed" in text_of(alice.get(page_of(SERVER, "change", server.pk)))
    assert "import it anew" in text_of(act(alice, "tools_tool", "accept", tool.pk))

    act(alice, SERVER, "retire", server.pk)
    tool.refresh_from_db()
    assert tool.state == "retired"


def test_an_outsider_sees_and_does_nothing(cast: Cast, running: ToolsServer) -> None:
    alice, charlie = sign_in(cast.alice), sign_in(cast.charlie)
    form = {
        "team": cast.team.pk,
        "slug": "shop",
        "transport": "http",
        "url": running.url,
        "allow_private": "on",
    }
    charlie.post(page_of(SERVER, "add"), form)
    assert not ToolServer.objects.exists()
    alice.post(page_of(SERVER, "add"), form)
    server = ToolServer.objects.get()
    act(alice, SERVER, "refresh", server.pk)
    row = ServerTool.objects.get(name="note")

    act(charlie, SERVER, "retire", server.pk)
    charlie.post(
        page_of(SERVER, "import", server.pk, row.pk),
        {"name": "note", "effect": "read", "idempotency": "none", "seen": row.digest},
    )

    assert (ToolServer.objects.get().state, Tool.objects.exists()) == ("active", False)
    assert "no such server" in text_of(charlie.get(page_of(SERVER, "change", server.pk), follow=True))


def test_what_a_tool_may_ask_is_declared_with_it_and_shown_again(cast: Cast, running: ToolsServer) -> None:
    alice = sign_in(cast.alice)
    place = {"team": cast.team.pk, "slug": "shop", "transport": "http", "url": running.url}
    alice.post(page_of(SERVER, "add"), {**place, "allow_private": "on"})
    server = ToolServer.objects.get()
    act(alice, SERVER, "refresh", server.pk)
    row = ServerTool.objects.get(name="note")
    address = page_of(SERVER, "import", server.pk, row.pk)
    form = {"name": "note", "effect": "read", "idempotency": "none", "statement": "", "seen": row.digest}
    for wrong, told in (
        ("{", "This is not JSON"),
        ("[]", "JSON object"),
        ('{"who": {}}', "JSON Schema of an object"),
    ):
        assert told in text_of(alice.post(address, {**form, "asks": wrong}))
    assert not Tool.objects.exists()
    asks = {
        "who": {"type": "object", "description": "Who is it?", "properties": {"name": {"type": "string"}}}
    }
    alice.post(address, {**form, "asks": json.dumps(asks)}, follow=True)
    version = Tool.objects.get().versions.get()
    assert (version.config["asks"], "answers" in version.input_schema["properties"]) == (asks, True)
    assert "Who is it?" in text_of(alice.get(address))


def test_what_a_server_describes_anew_is_accepted_by_two(governed: Cast, running: ToolsServer) -> None:
    let_govern(governed.bob)
    alice = sign_in(governed.alice)
    place = {"team": governed.team.pk, "slug": "shop", "transport": "http", "url": running.url}
    alice.post(page_of(SERVER, "add"), {**place, "allow_private": "on"})
    server = ToolServer.objects.get()

    def take_over() -> str:
        act(alice, SERVER, "refresh", server.pk)
        row = ServerTool.objects.get(name="note")
        form = {"name": "note", "effect": "read", "idempotency": "none", "statement": "", "seen": row.digest}
        return text_of(alice.post(page_of(SERVER, "import", server.pk, row.pk), form, follow=True))

    assert "The tool note v1 is there" in take_over()
    running.rewritten = "Writes an order down, twice."
    assert "once a second person activates it" in take_over()
    assert Tool.objects.get().state == "quarantined"
    activate(actor=governed.bob, proposal=ChangeProposal.objects.get(), second_factor=True)
    assert "The tool note v2 is there" in take_over()
    assert Tool.objects.get().state == "active"


def test_from_a_document_to_a_tool_and_to_its_change(cast: Cast) -> None:
    alice, charlie = sign_in(cast.alice), sign_in(cast.charlie)
    form = {"team": cast.team.pk, "slug": "shop", "transport": "openapi", "url": "https://shop.example/v1"}
    added = alice.post(page_of(SERVER, "add"), form, follow=True)
    assert "Bring its document." in text_of(added)
    server = ToolServer.objects.get()
    bring = page_of(SERVER, "document", server.pk)

    charlie.post(bring, {"text": SHOP})
    assert not ServerTool.objects.exists()
    assert "no OpenAPI" in text_of(alice.post(bring, {"text": "swagger: '2.0'"}))
    assert "Choose a file" in text_of(alice.post(bring, {}))
    file = SimpleUploadedFile("shop.yaml", SHOP.replace("- key: []", "- {}").encode())
    assert "was read" in text_of(alice.post(bring, {"file": file}, follow=True))
    row = ServerTool.objects.get(name="GET /orders/{order-id}")
    address = page_of(SERVER, "import", server.pk, row.pk)
    page = text_of(alice.get(address))
    for words in ("GET https://shop.example/v1/orders/{order_id}", "everybody", "Look an order up"):
        assert words in page

    taken = {"name": "look_up", "effect": "read", "idempotency": "none", "seen": row.digest}
    charlie.post(address, taken)
    assert not Tool.objects.exists()
    assert "The tool look_up v1 is there: read." in text_of(alice.post(address, taken, follow=True))
    alice.post(bring, {"text": SHOP.replace("- key: []", "- {}").replace("Look an order up", "Look it up")})
    tool = Tool.objects.get()
    page = text_of(alice.get(page_of("tools_tool", "change", tool.pk)))
    for words in ("quarantined", "describes it differently now", "Look an order up Look it up"):
        assert words in page


def test_from_a_function_to_a_tool_and_to_its_change(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TOOLS_PYTHON_MODULES = [shop.__name__]
    alice, charlie = sign_in(cast.alice), sign_in(cast.charlie)
    form = {"team": cast.team.pk, "slug": "functions", "transport": "python", "module": "os"}
    assert "TOOLS_PYTHON_MODULES" in text_of(alice.post(page_of(SERVER, "add"), form))
    alice.post(page_of(SERVER, "add"), {**form, "module": shop.__name__})
    server = ToolServer.objects.get()
    act(alice, SERVER, "refresh", server.pk)
    page = text_of(alice.get(page_of(SERVER, "change", server.pk)))
    assert "Any is not understood" in page
    assert f"Module {shop.__name__}" in page

    row = ServerTool.objects.get(name="refund")
    address = page_of(SERVER, "import", server.pk, row.pk)
    page = text_of(alice.get(address))
    for words in (f"Called as {shop.__name__}:refund", "Pay an order back.", "A decimal, at least 0.01"):
        assert words in page
    taken = {
        "name": "pay_back", "effect": "irreversible", "statement": "pay {amount} back for {order_id}",
        "idempotency": "read_back", "read_back": "find_refund", "seen": row.digest,
    }  # fmt: skip
    charlie.post(address, taken)
    assert not Tool.objects.exists()
    assert "The tool pay_back v1 is there: irreversible." in text_of(alice.post(address, taken, follow=True))
    assert 'value="find_refund"' in alice.get(address).content.decode()

    change_hint(monkeypatch)
    act(alice, SERVER, "refresh", server.pk)
    page = text_of(alice.get(page_of("tools_tool", "change", Tool.objects.get().pk)))
    for words in ("quarantined", "describes it differently now", "input schema"):
        assert words in page
    forget_stand_ins()
