"""Interfaces with a document: from its address to a call that arrives, and to a change that quarantines the tool."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.models import Entry
from tests.cast import Cast
from tests.factories import GrantFactory
from tests.identities.secrets import make_secret
from tests.tools.execution import NOBODY, make_call, make_spec
from tests.tools.openapi.documents import SHOP
from tests.tools.openapi.interface import Interface, serve_interface
from tools import assessment
from tools.adapters.base import AdapterOptions
from tools.adapters.http import HttpAdapter
from tools.assessment import assess
from tools.calls import ToolSpec
from tools.catalogue import read_spec
from tools.credentials.material import Credential
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

pytestmark = pytest.mark.django_db

LOOK_UP, CHANGE = "GET /orders/{order-id}", "PATCH /orders/{order-id}"


@pytest.fixture(scope="module")
def running() -> Iterator[Interface]:
    with serve_interface() as interface:
        yield interface


@pytest.fixture
def interface(running: Interface) -> Interface:
    """Provide the module's interface as it was in the beginning."""
    running.document, running.status = SHOP, 200
    running.seen.clear()
    return running


def name_interface(cast: Cast, interface: Interface, **changes: Any) -> ToolServer:
    """Name one of the team."""
    told = {"url": interface.url, "document_url": interface.document_url, "allow_private": True, **changes}
    definition = ServerDefinition("openapi", **told)
    return create_server(actor=cast.alice, team=cast.team, slug="shop", definition=definition)


@pytest.fixture
def server(cast: Cast, interface: Interface) -> ToolServer:
    """Provide one that has been asked, with the credential that it wants."""
    make_secret(cast, settings={"header": "X-Api-Key", "scheme": ""})
    return refresh_server(actor=cast.alice, server=name_interface(cast, interface, credential="shop-key"))


def take_over(cast: Cast, server: ToolServer, name: str = LOOK_UP, **decided: Any) -> ToolVersion:
    row = ServerTool.objects.get(server=server, name=name)
    proposed = row.described["proposed"]
    values = {"name": proposed["name"], "effect": proposed["effect"], **decided}
    return import_tool(actor=cast.alice, described=row, takeover=Takeover(**values), seen=row.digest)


def spec_of(version: ToolVersion) -> ToolSpec:
    fields = ("adapter", "config", "input_schema", "output_schema", "effect", "idempotency")
    return make_spec(**{name: getattr(version, name) for name in fields})


def send(version: ToolVersion, arguments: dict[str, Any]) -> Any:
    adapter = HttpAdapter(AdapterOptions())
    key = Credential("its-key", "X-Api-Key", "")
    try:
        return adapter.invoke(make_call(spec_of(version), arguments, credential=key), timeout_s=20.0)
    finally:
        adapter.close()


def test_from_the_address_of_a_document_to_calls_that_arrive(
    cast: Cast, interface: Interface, server: ToolServer
) -> None:
    assert (server.trouble, server.listed.count()) == ("", 3)

    outcome = send(take_over(cast, server), {"order_id": "A-1", "fields": ["id"], "filter": {"max": 3}})
    changed = send(
        take_over(cast, server, CHANGE, statement="change {order_id}", idempotency="honours_key"),
        {"order_id": "A-1", "If_Match": "W/1", "note": None, "parts": []},
    )

    assert (outcome.status, outcome.value["id"]) == ("succeeded", "A-1")
    assert (changed.status, changed.value) == ("succeeded", None), changed
    read, patch = interface.seen
    assert read["target"] == "/orders/A-1?fields=id&filter%5Bmax%5D=3"
    assert (read["headers"]["x-api-key"], read["body"]) == ("its-key", "")
    assert (patch["method"], json.loads(patch["body"])) == ("PATCH", {"note": None, "parts": []})
    assert patch["headers"]["content-type"] == "application/merge-patch+json"
    assert patch["headers"]["if-match"] == "W/1"


def test_what_is_pinned_is_what_was_looked_at_and_the_document_it_stands_in(
    cast: Cast, server: ToolServer
) -> None:
    version = take_over(cast, server, description="Looks up.")
    row = ServerTool.objects.get(tool=version.tool)
    document = server.documents.get()

    assert (version.description, version.effect, version.tool.name) == ("Looks up.", "read", "shop_getOrder")
    assert version.config["origin"] == {"server": str(server.pk), "operation": LOOK_UP, "digest": row.digest}
    assert (document.text, row.accepted_document) == (SHOP, document.digest)
    entry = Entry.objects.filter(kind="server.tool_imported").get()
    assert entry.facts["document"] == document.digest


def test_a_change_quarantines_until_it_is_accepted_and_another_operation_s_does_not(
    cast: Cast, interface: Interface, server: ToolServer
) -> None:
    tool = take_over(cast, server).tool
    interface.document = SHOP.replace("Make an order", "Make an order, quickly")
    recheck_server(str(server.pk))
    tool.refresh_from_db()
    assert (tool.state, server.documents.count()) == ("active", 2)

    interface.document = SHOP.replace("'^A-[0-9]+$'", "'^B-[0-9]+$'")
    recheck_server(str(server.pk))
    tool.refresh_from_db()
    assert tool.state == "quarantined"
    with pytest.raises(StateConflict, match="definition_changed"):
        accept_tool(actor=cast.alice, tool=tool)
    version = take_over(cast, server)
    tool.refresh_from_db()
    assert (tool.state, version.number) == ("active", 2)


def test_a_document_that_cannot_be_read_changes_nothing(
    cast: Cast, interface: Interface, server: ToolServer
) -> None:
    tool = take_over(cast, server).tool
    for interface.document, interface.status in (("swagger: '2.0'", 200), (SHOP, 404), ("\x00", 200)):
        assert refresh_server(actor=cast.alice, server=server).trouble != ""
    tool.refresh_from_db()
    assert (tool.state, ServerTool.objects.get(name=LOOK_UP).is_listed) == ("active", True)


def test_a_document_is_brought_and_says_where_it_is(cast: Cast, interface: Interface) -> None:
    server = name_interface(cast, interface, url="", document_url="", allow_private=False)
    with pytest.raises(StateConflict, match="no_document"):
        refresh_server(actor=cast.alice, server=server)
    with pytest.raises(ValidationFailed, match="no OpenAPI"):
        refresh_server(actor=cast.alice, server=server, document="openapi: 2.0.0")
    with pytest.raises(ValidationFailed, match="where the interface is"):
        refresh_server(actor=cast.alice, server=server, document="openapi: 3.1.0")

    read = refresh_server(actor=cast.alice, server=server, document=SHOP)
    assert read.url == "https://eu.shop.example/v1"
    elsewhere = refresh_server(
        actor=cast.alice, server=read, document=SHOP.replace("shop.example", "x.example")
    )
    assert elsewhere.url == "https://eu.shop.example/v1"
    assert recheck_servers() == 0


def test_a_private_address_takes_two_words(cast: Cast, interface: Interface) -> None:
    server = name_interface(cast, interface, allow_private=False)
    assert "network" in refresh_server(actor=cast.alice, server=server).trouble
    ToolServer.objects.update(allow_private=True)
    server.refresh_from_db()
    with override_settings(OUTGOING_PRIVATE_NETWORKS=[]):
        assert "network" in refresh_server(actor=cast.alice, server=server).trouble
    assert interface.seen == []


def test_who_brings_nothing_to_a_closed_door_is_told_so(cast: Cast, interface: Interface) -> None:
    server = refresh_server(actor=cast.alice, server=name_interface(cast, interface))
    with pytest.raises(ValidationFailed, match="X-Api-Key"):
        take_over(cast, server)
    make_secret(cast, slug="bearer")
    with pytest.raises(ValidationFailed, match="X-Api-Key"):
        take_over(cast, server, credential="bearer")
    make_secret(cast, settings={"header": "X-Api-Key", "scheme": ""})
    assert take_over(cast, server, credential="shop-key").config["credential"] == "shop-key"


def test_a_person_s_effect_is_only_made_stricter(cast: Cast, server: ToolServer) -> None:
    assert take_over(cast, server, CHANGE, effect="read").effect == "reversible"
    assert (
        take_over(cast, server, LOOK_UP, effect="irreversible", statement="look up").effect == "irreversible"
    )


def test_what_is_refused_cannot_be_taken_over(cast: Cast, interface: Interface, server: ToolServer) -> None:
    interface.document = SHOP.replace("in: header, schema", "in: cookie, required: true, schema")
    refresh_server(actor=cast.alice, server=server)
    row = ServerTool.objects.get(name=LOOK_UP)
    assert "cookie" in row.faults[0]
    with pytest.raises(ValidationFailed, match="cookie"):
        import_tool(actor=cast.alice, described=row, takeover=Takeover("x", "read"), seen=row.digest)


def test_a_version_by_hand_leads_nowhere_else(cast: Cast, server: ToolServer) -> None:
    version = take_over(cast, server)
    definition = definition_of(version)
    for changes in (
        {"url": "https://elsewhere.example/orders/{order_id}"},
        {"origin": {**definition.config["origin"], "digest": "0" * 64}},
        {"origin": {**definition.config["origin"], "server": str(version.pk)}},
    ):
        values = {**definition.values(), "dedupe_on": (), "config": {**definition.config, **changes}}
        with pytest.raises(ValidationFailed, match="origin"):
            add_version(actor=cast.alice, tool=version.tool, definition=type(definition)(**values))


@pytest.mark.django_db(transaction=True)
def test_a_version_of_an_earlier_description_is_called_no_more(
    cast: Cast, interface: Interface, server: ToolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = take_over(cast, server)
    GrantFactory.create(identity=cast.agent, tool=version.tool, decision="ALLOW")

    def verdict() -> str:
        call = make_call(read_spec(version.pk), {"order_id": "A-1"}, identity_id=cast.agent.pk)
        return assess(call, by=NOBODY, now=timezone.now()).decision.reasons[-1].code

    assert verdict() != "definition_changed"
    interface.document = SHOP.replace("'^A-[0-9]+$'", "'^[AB]-[0-9]+$'")
    refresh_server(actor=cast.alice, server=server)
    take_over(cast, server)
    assert verdict() == "definition_changed"
    monkeypatch.setattr(assessment, "find_outdated", lambda call: None)
    assert verdict() != "definition_changed"


def test_a_retired_interface_takes_its_tools_along(cast: Cast, server: ToolServer) -> None:
    take_over(cast, server)
    retire_server(actor=cast.alice, server=server)
    assert Tool.objects.get().state == "retired"


def test_a_document_goes_only_to_an_interface_of_one_s_own(cast: Cast, server: ToolServer) -> None:
    with pytest.raises(PolicyDenied):
        refresh_server(actor=cast.charlie, server=server, document=SHOP)
    ToolServer.objects.update(transport="http")
    server.refresh_from_db()
    with pytest.raises(StateConflict, match="no_interface"):
        refresh_server(actor=cast.alice, server=server, document=SHOP)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "ftp://shop.example"}, "http"),
        ({"url": "https://shop.example/?a=b"}, "query"),
        ({"document_url": "file:///etc/passwd"}, "document url"),
        ({"command": "time"}, "command for stdio"),
        ({"credential": "none"}, "credential"),
    ],
)
def test_what_must_not_be_reached_is_not_named(
    cast: Cast, interface: Interface, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(ValidationFailed, match=words):
        name_interface(cast, interface, **changes)


def test_documents_that_nothing_was_accepted_from_are_forgotten(
    cast: Cast, interface: Interface, server: ToolServer
) -> None:
    take_over(cast, server)
    for number in range(12):
        interface.document = SHOP.replace("title: Shop", f"title: Shop {number}")
        refresh_server(actor=cast.alice, server=server)
    assert server.documents.count() == 11
    assert server.documents.filter(text=SHOP).exists()


@pytest.mark.parametrize("address", ["https://ann:pw@shop.example", "https://shop.example/?key=1"])
def test_a_document_names_no_address_that_a_person_could_not(
    cast: Cast, interface: Interface, address: str
) -> None:
    server = name_interface(cast, interface, url="", document_url="")
    text = json.dumps({"openapi": "3.1.0", "servers": [{"url": address}], "paths": {}})
    with pytest.raises(ValidationFailed, match="says that the interface is"):
        refresh_server(actor=cast.alice, server=server, document=text)
    server.refresh_from_db()
    assert server.url == ""
