"""What a client may ask beside its calls: what an argument may be, and to hear what happens to a call in a log."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import mcp_types as types
import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from mcp import Client, MCPError

from identities.models import User
from runs.erasure import erase_run
from runs.gateway import logs, receipts
from runs.gateway.completing import complete, find_reader
from runs.gateway.logs import keep_level, read_level, write_log
from runs.gateway.offering import list_tools
from runs.services import kill_run
from tests.runs.gateway.conftest import Outside, delegate
from tests.runs.gateway.gateways import Gateway
from tools.calls import ToolSpec
from tools.models import Tool

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

PROMPT = types.PromptReference(name="test_prompt_with_arguments")
TEMPLATE = types.ResourceTemplateReference(uri="test://template/{id}/data")
MODERN, LEGACY = "2026-07-28", "legacy"


@pytest.fixture(autouse=True)
def _no_levels() -> None:
    cache.clear()


def find(outside: Outside, ref: Any, name: str) -> ToolSpec:  # Any: either kind of reference
    return find_reader(list_tools(outside.caller), ref, name)


def ask(
    outside: Outside, ref: Any, name: str, typed: str = "", *, subject: str = ""
) -> list[str]:  # Any: as above
    caller = delegate(outside.company, subject) if subject else outside.caller
    return complete(caller, find(outside, ref, name), name, typed).values


def read(outside: Outside, *ids: str) -> None:
    """Have an address read, with each of these in it."""
    tool = find(outside, TEMPLATE, "id").name
    for each in ids:
        answer = outside.hear(outside.call(tool, {"id": each}))
        assert answer.status == "succeeded", answer


def test_what_was_used_for_this_very_user_is_offered_again(shown: Outside) -> None:
    read(shown, "A-1", "B-2", "a-3", "A-1")
    assert ask(shown, TEMPLATE, "id") == ["A-1", "a-3", "B-2"]
    assert ask(shown, TEMPLATE, "id", "a") == ["A-1", "a-3"]
    assert ask(shown, TEMPLATE, "id", subject="customer-2") == [], "another user's are not there"
    kill_run(actor=shown.company.cast.ada, run=shown.run)
    shown.company.drive(shown.run)
    alice = shown.company.cast.alice
    alice.user_permissions.add(Permission.objects.get(codename="erase_content"))
    erase_run(actor=User.objects.get(pk=alice.pk), run=shown.run, reason="Asked for.")
    assert ask(shown, TEMPLATE, "id") == [], "nor are erased ones"


def test_without_asking_whose_it_was_other_users_would_be_told(
    shown: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runs.gateway import completing

    read(shown, "A-1")
    found = completing._own_runs
    monkeypatch.setattr(completing, "_own_runs", lambda caller: found(shown.caller))
    assert ask(shown, TEMPLATE, "id", subject="customer-2") == ["A-1"]


def test_what_a_schema_lists_is_offered_and_nothing_else(shown: Outside) -> None:
    listed = [f"room {number}" for number in range(150)]
    schema = {
        "type": "object",
        "properties": {"id": {"$ref": "#/$defs/room"}},
        "$defs": {"room": {"enum": listed}},
    }
    spec = replace(find(shown, TEMPLATE, "id"), input_schema=schema)
    told = complete(shown.caller, spec, "id", "ROOM 1")
    assert (len(told.values), told.total, told.has_more) == (61, 61, False)
    told = complete(shown.caller, spec, "id", "")
    assert (told.values, told.total, told.has_more) == (listed[:100], 150, True)


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        (types.PromptReference(name="nothing"), "arg1"),
        (types.ResourceTemplateReference(uri="test://nothing/{id}"), "id"),
        (PROMPT, "arg3"),
    ],
)
def test_what_is_not_offered_is_not_there(shown: Outside, ref: Any, name: str) -> None:  # Any: as above
    with pytest.raises(MCPError) as refused:
        find(shown, ref, name)
    assert refused.value.error.code == types.INVALID_PARAMS


def test_what_is_not_granted_is_not_there_either(shown: Outside) -> None:
    assert find(shown, PROMPT, "arg1").name == PROMPT.name
    shown.company.grant(Tool.objects.get(name=PROMPT.name), "DENY")
    with pytest.raises(MCPError):
        find(shown, PROMPT, "arg1")


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_a_client_completes(showing: Gateway, mode: str) -> None:
    async def talk(client: Client) -> Any:  # Any: what the client returns
        if mode == LEGACY:
            assert client.server_capabilities.completions is not None
            assert client.server_capabilities.logging is not None
        return await client.complete(PROMPT, {"name": "arg1", "value": "par"})

    assert showing.ask(talk, mode=mode).completion.values == []


# --- logs ------------------------------------------------------------------------------------------------


def hear(
    gateway: Gateway, mode: str, level: str, tool: str = "greet"
) -> list[types.LoggingMessageNotificationParams]:
    """Call a tool as a client that wants to hear from this level on; return what it heard."""
    heard: list[types.LoggingMessageNotificationParams] = []

    async def note(params: types.LoggingMessageNotificationParams) -> None:
        heard.append(params)

    async def talk(client: Client) -> None:
        meta: Any = (
            {types.LOG_LEVEL_META_KEY: level} if mode == MODERN and level else None
        )  # Any: an open record
        if mode == LEGACY and level:
            await client.session.send_request(
                types.SetLevelRequest(params=types.SetLevelRequestParams(level=level)),  # type: ignore[arg-type]  # one of them
                types.EmptyResult,
            )
        await client.call_tool(tool, {"name": "Ann"} if tool == "greet" else {}, meta=meta)
        await asyncio.sleep(0.1)

    gateway.ask(talk, mode=mode, logging_callback=note)
    return heard


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_who_asks_for_a_log_hears_what_happens_to_the_call(showing: Gateway, mode: str) -> None:
    assert hear(showing, mode, "") == []
    heard = hear(showing, mode, "debug")
    told = " ".join(each.data["message"] for each in heard)
    assert "greet: allowed" in told
    assert "greet: called" in told
    assert {each.level for each in heard} == {"info"}
    assert heard[0].data.keys() == {"message", "run", "call"}


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_who_asks_for_warnings_hears_what_went_wrong(showing: Gateway, mode: str) -> None:
    assert hear(showing, mode, "warning") == []
    heard = hear(showing, mode, "warning", "test_error_handling")
    assert [each.level for each in heard] == ["warning"]


def test_a_level_is_of_one_agent_and_one_user(shown: Outside) -> None:
    keep_level(shown.caller, "info")
    assert read_level(shown.caller) == "info"
    assert read_level(delegate(shown.company, "customer-2")) == ""


def test_without_comparing_levels_everything_is_told(shown: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    received = shown.call("greet", {"name": "Ann"})
    assert write_log(received, "call.allowed", "…", "warning") is None
    monkeypatch.setattr(logs, "LEVELS", _Alike(logs.LEVELS))
    assert write_log(received, "call.allowed", "…", "warning") is not None


class _Alike(tuple[str, ...]):
    """Levels that are all the same."""

    def index(self, *_: Any) -> int:  # Any: as of a tuple
        return 0


def test_a_log_holds_nothing_of_what_the_call_says(shown: Outside) -> None:
    received = shown.call("greet", {"name": "Ann"})
    written = write_log(received, "call.allowed", "greet: allowed", "info")
    assert written is not None
    assert "Ann" not in json.dumps(written.params.data)


# --- receipts --------------------------------------------------------------------------------------------


def test_an_agent_reads_what_became_of_its_calls(showing: Gateway, shown: Outside) -> None:
    async def talk(client: Client) -> tuple[Any, Any]:  # Any: what the client returns
        for tool, arguments in (("greet", {"name": "Ann"}), ("test_error_handling", {})):
            result = await client.call_tool(tool, arguments)
        run = (result.meta or {})["io.agentops/run"]
        listed = await client.list_resource_templates()
        return listed, await client.read_resource(f"agentops://runs/{run}")

    listed, receipt = showing.ask(talk)
    assert "agentops://runs/{run}" in [each.uri_template for each in listed.resource_templates]
    told = json.loads(receipt.contents[0].text)
    assert [(each["tool"], each["state"]) for each in told["calls"]] == [
        ("greet", "succeeded"), ("test_error_handling", "failed"),
    ]  # fmt: skip
    assert "Ann" not in receipt.contents[0].text


def test_a_receipt_is_for_the_very_agent_and_user(shown: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    shown.call("greet", {"name": "Ann"})
    uri = f"agentops://runs/{shown.run.pk}"
    assert receipts.read_receipt(shown.caller, uri) is not None
    other = delegate(shown.company, "customer-2")
    assert receipts.read_receipt(other, uri) is None
    assert receipts.read_receipt(shown.caller, "agentops://runs/nothing") is None
    find = receipts._find
    monkeypatch.setattr(receipts, "_find", lambda caller, run_id: find(shown.caller, run_id))
    assert receipts.read_receipt(other, uri) is not None, "without asking whose it is, others' are told"
