"""Modules as sources of tools: from a function to a tool, and from another signature to a quarantine and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from tests.cast import Cast
from tests.factories import GrantFactory
from tests.tools.execution import NOBODY, make_call
from tests.tools.functions import shop
from tests.tools.functions.stand_ins import change_hint, forget_stand_ins
from tools import assessment
from tools.assessment import assess
from tools.catalogue import read_spec
from tools.models import ServerTool, Tool, ToolServer, ToolVersion
from tools.services import (
    ServerDefinition,
    Takeover,
    accept_tool,
    add_version,
    create_server,
    import_tool,
    refresh_server,
)
from tools.services.definition import definition_of
from tools.tasks import recheck_server, recheck_servers

pytestmark = pytest.mark.django_db

HERE = shop.__name__
WORDS = "pay {amount} back for {order_id}"


@pytest.fixture(autouse=True)
def _allowed(settings: Settings) -> Iterator[None]:
    settings.TOOLS_PYTHON_MODULES = [HERE]
    yield
    forget_stand_ins()


def name_module(cast: Cast, **changes: Any) -> ToolServer:  # Any: fields of several types
    definition = ServerDefinition(**{"transport": "python", "module": HERE, **changes})
    return create_server(actor=cast.alice, team=cast.team, slug="functions", definition=definition)


@pytest.fixture
def server(cast: Cast) -> ToolServer:
    """Provide the module, looked at."""
    return refresh_server(actor=cast.alice, server=name_module(cast))


def take_over(cast: Cast, server: ToolServer, name: str = "refund", **decided: Any) -> ToolVersion:
    row = ServerTool.objects.get(server=server, name=name)
    values = {"name": name, "effect": "irreversible", "statement": WORDS, **decided}
    return import_tool(actor=cast.alice, described=row, takeover=Takeover(**values), seen=row.digest)


def test_what_is_listed_are_the_public_functions_and_why_some_are_none(server: ToolServer) -> None:
    assert server.trouble == ""
    rows = {row.name: row for row in ServerTool.objects.filter(server=server)}
    assert sorted(rows) == ["find_refund", "guess", "later", "lie", "promise", "refund"]
    assert any("Any is not understood" in fault for fault in rows["guess"].faults)
    assert rows["later"].faults == ["only plain, synchronous functions are called"]
    assert rows["refund"].described["input_schema"]["additionalProperties"] is False


def test_what_is_taken_over_is_pinned_and_a_person_s_to_call_harmless(cast: Cast, server: ToolServer) -> None:
    version = take_over(cast, server, idempotency="read_back", read_back="find_refund")
    row = ServerTool.objects.get(tool=version.tool)
    assert (version.effect, version.adapter, version.description) == (
        "irreversible",
        "python",
        "Pay an order back.",
    )
    assert version.config == {
        "function": f"{HERE}:refund",
        "signature": row.digest,
        "origin": {"server": str(server.id), "operation": "refund", "digest": row.digest},
        "read_back": f"{HERE}:find_refund",
    }
    assert version.output_schema is not None
    with pytest.raises(ValidationFailed, match="Any is not understood"):
        take_over(cast, server, "guess", statement="")


def test_another_signature_quarantines_until_it_is_accepted(
    cast: Cast, server: ToolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = take_over(cast, server)
    assert recheck_servers() == 1
    recheck_server(str(server.pk))
    assert Tool.objects.get().state == "active"

    change_hint(monkeypatch)
    recheck_server(str(server.pk))
    assert Tool.objects.get().state == "quarantined"
    with pytest.raises(StateConflict, match="import it anew"):
        accept_tool(actor=cast.alice, tool=before.tool)
    after = take_over(cast, server)
    assert (Tool.objects.get().state, after.number) == ("active", 2)
    assert after.input_schema["required"] == ["order_id", "amount"]


def test_what_was_seen_is_what_is_accepted(
    cast: Cast, server: ToolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ServerTool.objects.get(name="refund")
    change_hint(monkeypatch)
    refresh_server(actor=cast.alice, server=server)
    takeover = Takeover("refund", "irreversible", WORDS)
    with pytest.raises(StateConflict, match="definition_changed"):
        import_tool(actor=cast.alice, described=row, takeover=takeover, seen=row.digest)


@pytest.mark.django_db(transaction=True)
def test_a_version_of_an_earlier_signature_is_called_no_more(
    cast: Cast, server: ToolServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = take_over(cast, server, "promise", statement="promise {left}")
    GrantFactory.create(identity=cast.agent, tool=version.tool, decision="ALLOW")

    def verdict() -> str:
        call = make_call(read_spec(version.pk), {"left": 1}, identity_id=cast.agent.pk)
        return assess(call, by=NOBODY, now=timezone.now()).decision.reasons[-1].code

    assert verdict() != "definition_changed"
    ServerTool.objects.filter(name="promise").update(accepted_digest="1" * 64)
    assert verdict() == "definition_changed"
    monkeypatch.setattr(assessment, "find_outdated", lambda call: None)  # mutant
    assert verdict() != "definition_changed"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"module": "os"}, "TOOLS_PYTHON_MODULES"),
        ({"module": ""}, "TOOLS_PYTHON_MODULES"),
        ({"module": f"{HERE}.gone"}, "cannot be imported"),
        ({"url": "https://shop.example"}, "leave addresses"),
        ({"command": "time"}, "command for stdio"),
        ({"transport": "openapi"}, "leave the module empty"),
    ],
)
def test_what_must_not_be_a_source_is_not_named(cast: Cast, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationFailed, match=words):
        name_module(cast, **changes)


def test_a_version_by_hand_leads_nowhere_else(cast: Cast, server: ToolServer) -> None:
    version = take_over(cast, server)
    definition = definition_of(version)
    for wrong in (
        {"function": f"{HERE}:promise"},
        {"signature": "0" * 64},
        {"origin": {**version.config["origin"], "operation": "promise"}},
    ):
        values = {**definition.values(), "config": {**version.config, **wrong}, "dedupe_on": ()}
        with pytest.raises(ValidationFailed):
            add_version(actor=cast.alice, tool=version.tool, definition=type(definition)(**values))
    narrowed = {**definition.values(), "description": "Pay a customer back.", "dedupe_on": ()}
    assert (
        add_version(actor=cast.alice, tool=version.tool, definition=type(definition)(**narrowed)).number == 2
    )


def test_a_module_that_was_taken_from_the_list_is_called_no_more(
    cast: Cast, server: ToolServer, settings: Settings
) -> None:
    settings.TOOLS_PYTHON_MODULES = []
    assert "TOOLS_PYTHON_MODULES" in refresh_server(actor=cast.alice, server=server).trouble


def test_an_outsider_is_refused(cast: Cast, server: ToolServer) -> None:
    row = ServerTool.objects.get(name="refund")
    with pytest.raises(PolicyDenied):
        refresh_server(actor=cast.charlie, server=server)
    with pytest.raises(PolicyDenied):
        import_tool(actor=cast.charlie, described=row, takeover=Takeover("x", "read", WORDS), seen=row.digest)
