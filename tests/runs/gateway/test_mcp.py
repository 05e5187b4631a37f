"""The gateway over HTTP, with the official client: who gets in, what they find, and how waiting is told."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import httpx2
import mcp_types as types
import pytest
from django.core import signing
from mcp import Client
from mcp_types.jsonrpc import HEADER_MISMATCH
from pytest_django import Settings

from runs.models import Run
from tests.factories import AgentFactory
from tests.oauth.clients import USER_ID, give_secret, user_id
from tests.runs.company import ORDER
from tests.runs.gateway.conftest import Outside
from tests.runs.gateway.gateways import Gateway

pytestmark = [pytest.mark.mcp, pytest.mark.slow]

REFUND = {"order_id": "A-1", "amount": "5.00"}
MODERN, LEGACY = "2026-07-28", "legacy"


PING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_an_agent_finds_its_tools_and_calls_them(gateway: Gateway, mode: str) -> None:
    async def talk(client: Client) -> tuple[types.ListToolsResult, types.CallToolResult]:
        return await client.list_tools(), await client.call_tool("look_up", ORDER)

    listed, result = gateway.ask(talk, mode=mode)
    assert sorted(tool.name for tool in listed.tools) == ["look_up", "refund"]
    assert {tool.name: tool.annotations.read_only_hint for tool in listed.tools if tool.annotations} == {
        "refund": False,
        "look_up": True,
    }
    assert not result.is_error, result
    run = Run.objects.get(kind="external")
    assert (run.principal.subject, run.proof, run.application) == (
        "customer-1", "asserted", gateway.application.account.application,
    )  # fmt: skip


def test_only_what_is_granted_is_found(gateway: Gateway, outside: Outside) -> None:
    outside.company.grant(outside.company.versions[0].tool, "DENY")

    async def talk(client: Client) -> types.ListToolsResult:
        return await client.list_tools()

    assert [tool.name for tool in gateway.ask(talk).tools] == ["look_up"]


def needs_approval(outside: Outside) -> None:
    refund = outside.company.versions[0].tool
    outside.company.grant(refund, "REQUIRE_APPROVAL")
    outside.company.let_decide(refund)


@pytest.mark.parametrize("mode", [MODERN, LEGACY])
def test_who_waits_is_told_for_what_and_asks_again(gateway: Gateway, outside: Outside, mode: str) -> None:
    needs_approval(outside)

    async def talk(client: Client) -> tuple[Any, Any]:
        first = await client.call_tool("refund", REFUND)
        await asyncio.to_thread(outside.company.decide)
        return first, await client.call_tool("refund", REFUND)

    first, second = gateway.ask(talk, mode=mode)
    told = json.loads(first.content[0].text)
    assert first.is_error
    assert told.keys() == {"code", "detail", "approval_id", "url", "retry_after", "statement"}
    assert (told["code"], told["approval_id"] in told["url"]) == ("approval_required", True)
    assert not second.is_error, second
    assert len(outside.company.world.effects) == 1


def test_a_client_that_can_show_an_address_is_sent_to_it_and_its_yes_approves_nothing(
    gateway: Gateway, outside: Outside, settings: Settings
) -> None:
    needs_approval(outside)
    shown = []

    async def show(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        shown.append(params)
        settings.GATEWAY_WAIT_S = 0.1  # nobody is going to decide
        return types.ElicitResult(action="accept")

    async def talk(client: Client) -> types.CallToolResult:
        return await client.call_tool("refund", REFUND)

    result = gateway.ask(talk, mode=MODERN, elicitation_callback=show)
    [asked] = shown
    assert isinstance(asked, types.ElicitRequestURLParams)
    assert "/admin/approvals/" in asked.url
    assert "A-1" in asked.message, "who is sent there sees what for"
    assert json.loads(result.content[0].text)["code"] == "approval_required"
    assert outside.company.world.effects == []


@pytest.mark.parametrize(
    ("token", "status", "error"),
    [("", 401, ""), ("nonsense", 401, "invalid_token"), ("own", 403, "insufficient_scope"),
     ("delegate", 403, "insufficient_scope"), ("user", 401, "invalid_token")],
)  # fmt: skip
def test_who_has_no_right_token_is_told_where_to_get_one(
    gateway: Gateway, token: str, status: int, error: str
) -> None:
    passed_on = gateway.application.exchanged(user_id(), gateway.agent.client_id, USER_ID)
    given = {
        "own": lambda: gateway.agent.token(gateway.url),  # for no user
        "delegate": lambda: gateway.token(scope="delegate"),  # may not call tools
        "user": lambda: passed_on,  # was meant for the agent, not for us
    }.get(token, lambda: token)()
    answer = gateway.post(PING, given)
    assert answer.status_code == status
    challenge = answer.headers["WWW-Authenticate"]
    assert "/.well-known/oauth-protected-resource/mcp" in challenge
    assert (f'error="{error}"' in challenge) == bool(error)
    assert not Run.objects.exists()


def test_the_metadata_say_whom_to_ask(gateway: Gateway) -> None:
    base = gateway.url.removesuffix("/mcp")
    told = httpx2.get(f"{base}/.well-known/oauth-protected-resource/mcp").json()
    assert (told["resource"], told["authorization_servers"]) == (gateway.url, [base])


def test_an_application_gets_no_token_for_the_gateway(gateway: Gateway) -> None:
    answer = gateway.application.post(grant_type="client_credentials", audience=gateway.url)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


def test_a_chain_through_another_agent_is_refused(gateway: Gateway, outside: Outside) -> None:
    cast = outside.company.cast
    other = give_secret(cast.alice, AgentFactory.create(team=cast.team, owner=cast.alice).service_account)
    passed_on = gateway.application.exchanged(user_id(), gateway.agent.client_id, USER_ID)
    further = gateway.agent.exchanged(passed_on, other.client_id)
    answer = gateway.post(PING, other.exchanged(further, gateway.url))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("headers", "status"), [({"Origin": "https://evil.example"}, 403), ({"Host": "evil.example"}, 421)]
)
def test_pages_of_others_cannot_call(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    assert gateway.post(PING, gateway.token(), **headers).status_code == status


@pytest.mark.parametrize(
    "body", [b"{", b'{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "ping"}', b'{"a": 1e999}', b"\xff"]
)
def test_a_body_with_two_meanings_is_no_request(gateway: Gateway, body: bytes) -> None:
    answer = gateway.post(body, gateway.token())
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32700)


def test_there_is_nothing_to_listen_to(gateway: Gateway) -> None:
    answer = httpx2.get(gateway.url, headers={"Authorization": f"Bearer {gateway.token()}"})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_two_users_never_meet(gateway: Gateway) -> None:
    async def talk(client: Client) -> types.CallToolResult:
        return await client.call_tool("look_up", ORDER)

    for subject in ("customer-1", "customer-2"):
        gateway.ask(talk, token=gateway.token(subject))
    runs = Run.objects.filter(kind="external")
    assert sorted(run.principal.subject for run in runs) == ["customer-1", "customer-2"]


def test_a_state_of_another_caller_or_call_is_refused(gateway: Gateway, outside: Outside) -> None:
    needs_approval(outside)

    async def talk(client: Client) -> types.CallToolResult:
        return await client.call_tool("refund", REFUND)

    gateway.ask(talk)
    run = Run.objects.get(kind="external")
    state = signing.dumps([str(run.pk), 1, {}, False], salt="agentops.gateway")

    def resume(token: str, arguments: Any, state: str) -> str:
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        params = {"name": "refund", "arguments": arguments, "requestState": state, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "refund"}
        answer = gateway.post(body, token, **headers).json()
        if "error" in answer:
            assert (
                answer["error"]["code"] == types.INVALID_PARAMS
            )  # SEP-2322: what was tampered with is no state
            return str(answer["error"]["message"]).partition(":")[0]
        return str(json.loads(answer["result"]["content"][0]["text"])["code"])

    assert resume(gateway.token("customer-2"), REFUND, state) == "unknown_call"
    assert resume(gateway.token(), {**REFUND, "order_id": "B-2"}, state) == "key_reused"
    bent = state[:-1] + ("A" if state[-1] != "A" else "B")
    assert resume(gateway.token(), REFUND, bent) == "bad_request_state"


def test_many_calls_at_once_are_each_made_once(gateway: Gateway, outside: Outside) -> None:
    async def talk(client: Client) -> list[types.CallToolResult]:
        calls = [client.call_tool("refund", {**REFUND, "order_id": f"A-{n}"}) for n in range(12)]
        return await asyncio.gather(*calls)

    results = gateway.ask(talk)
    assert [result.is_error for result in results] == [False] * 12
    assert len(outside.company.world.effects) == 12
    assert Run.objects.get(kind="external").steps == 12


class Modern:
    """A client of the present revision that speaks Tasks: the SDK's does not."""

    def __init__(self, gateway: Gateway, token: str, *, tasks: bool = True) -> None:
        self.gateway, self.token = gateway, token
        self.headers: dict[str, str] = {}
        self.extensions: dict[str, Any] = {"io.modelcontextprotocol/tasks": {}} if tasks else {}

    def ask(self, method: str, **params: Any) -> dict[str, Any]:  # Any: JSON
        """Return the answer's result, or its error."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {"extensions": self.extensions},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        named = {"Mcp-Name": params.get("name") or params["taskId"]}
        headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **named, **self.headers}
        answer = self.gateway.post(body, self.token, **headers).json()
        found: dict[str, Any] = answer.get("result") or answer["error"]
        return found

    def call(self, arguments: dict[str, Any] = REFUND) -> dict[str, Any]:  # Any: JSON
        return self.ask("tools/call", name="refund", arguments=arguments)

    def wait(self, task: str) -> dict[str, Any]:
        """Ask until the task is over."""
        for _ in range(200):
            found = self.ask("tasks/get", taskId=task)
            if found["status"] != "working":
                return found
            time.sleep(0.05)
        raise AssertionError("the task is never over")


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_a_client_that_speaks_tasks_is_given_one(gateway: Gateway, outside: Outside, verdict: str) -> None:
    needs_approval(outside)
    client = Modern(gateway, gateway.token())
    made = client.call()
    assert (made["resultType"], made["status"], made["ttlMs"]) == ("task", "working", None)
    assert "approval_required" in made["statusMessage"]
    outside.company.decide(verdict)
    over = client.wait(made["taskId"])
    assert (over["resultType"], over["status"]) == ("complete", "completed")
    assert over["result"].get("isError", False) == (verdict == "deny")
    assert len(outside.company.world.effects) == (verdict == "approve")


def test_a_task_that_waits_for_people_can_be_taken_back(gateway: Gateway, outside: Outside) -> None:
    needs_approval(outside)
    client = Modern(gateway, gateway.token())
    task = client.call()["taskId"]
    assert client.ask("tasks/cancel", taskId=task)["resultType"] == "complete"
    assert client.wait(task)["status"] == "cancelled"
    assert outside.company.world.effects == []
    assert client.ask("tasks/cancel", taskId=task)["resultType"] == "complete", "again changes nothing"


def test_tasks_are_the_callers_own_and_for_who_speaks_them(gateway: Gateway, outside: Outside) -> None:
    needs_approval(outside)
    task = Modern(gateway, gateway.token()).call()["taskId"]
    stranger = Modern(gateway, gateway.token("customer-2"))
    plain = Modern(gateway, gateway.token(), tasks=False)
    for method in ("tasks/get", "tasks/cancel", "tasks/update"):
        assert stranger.ask(method, taskId=task)["code"] == types.INVALID_PARAMS
        assert plain.ask(method, taskId=task)["code"] == -32021
        assert Modern(gateway, gateway.token()).ask(method, taskId="x.y")["code"] == types.INVALID_PARAMS
    assert plain.call({**REFUND, "order_id": "B-2"})["resultType"] == "complete"
    assert Modern(gateway, gateway.token()).ask("tasks/get", taskId=task)["status"] == "working"
    misled = Modern(gateway, gateway.token())
    misled.headers = {"Mcp-Name": "another"}  # by which a proxy may have let it pass
    assert misled.ask("tasks/get", taskId=task)["code"] == HEADER_MISMATCH
