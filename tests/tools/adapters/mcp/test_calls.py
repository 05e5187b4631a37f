"""Calls of a real server over HTTP: what reaches it, what comes back, and what is made of every misbehaviour."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests.tools.adapters.mcp.calls import call_of, call_refund, pinned
from tests.tools.adapters.mcp.server import ToolsServer, serve_tools
from tests.tools.execution import TRACEPARENT, TRACESTATE
from tools.adapters.base import AdapterOptions
from tools.adapters.mcp import McpAdapter
from tools.credentials.material import Credential
from tools.recall import Recall

pytestmark = pytest.mark.mcp


def test_a_call_goes_out_as_what_it_is(server: ToolsServer, adapter: McpAdapter) -> None:
    call = call_refund(pinned(server.url, "refund"), token=Credential("t.o.k", "Authorization", "Bearer"))

    outcome = adapter.invoke(call, timeout_s=10)

    assert (outcome.status, outcome.value, server.refunds) == ("succeeded", {"refunded": "A-17"}, ["A-17"])
    for method in ("server/discover", "tools/list", "tools/call"):
        headers = server.headers_of(method)
        assert headers["authorization"] == "Bearer t.o.k"
        assert (headers["traceparent"], headers["idempotency-key"]) == (TRACEPARENT, call.key)
    meta = server.metas[0]
    assert (meta["traceparent"], meta["tracestate"]) == (TRACEPARENT, TRACESTATE)
    assert meta["io.agentops/idempotency-key"] == call.key
    assert headers["mcp-protocol-version"] == "2026-07-28"


def test_an_older_server_is_spoken_to_in_its_own_way(adapter: McpAdapter) -> None:
    with serve_tools(ToolsServer(legacy=True)) as server:
        outcome = adapter.invoke(call_refund(pinned(server.url, "refund")), timeout_s=10)

    assert (outcome.status, outcome.value) == ("succeeded", {"refunded": "A-17"})
    assert server.methods()[-6:] == [
        "server/discover", "initialize", "notifications/initialized", "tools/list", "tools/call", "DELETE",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mishap", "effect", "code", "retryable"),
    [
        ("500", "unknown", "http_500", True),
        ("refused", "failed", "http_429", True),
        ("html", "unknown", "bad_output", False),
        ("not_json", "unknown", "bad_output", False),
        ("another", "unknown", "bad_output", False),
        ("huge", "unknown", "bad_output", False),
        ("internal", "unknown", "server_error", True),
        ("empty_stream", "unknown", "server_error", True),
        ("lost", "unknown", "connection_lost", True),
        ("hang", "unknown", "timeout", True),
    ],
)
def test_a_lost_or_spoilt_answer_leaves_an_effect_in_doubt(
    server: ToolsServer, adapter: McpAdapter, mishap: str, effect: str, code: str, retryable: bool
) -> None:
    config = pinned(server.url, "refund")
    server.mishap = mishap

    outcome = adapter.invoke(call_refund(config), timeout_s=1)

    assert (outcome.status, outcome.code, outcome.retryable) == (effect, code, retryable)
    assert server.refunds == ([] if mishap == "refused" else ["A-17"])
    assert outcome.counts_against_breaker is (mishap != "refused")
    assert ("larger than" in outcome.detail) is (mishap == "huge")
    read = adapter.invoke(call_refund(config, effect="read"), timeout_s=1) if mishap != "hang" else outcome
    assert read.status == ("failed" if mishap != "hang" else "unknown")


@pytest.mark.slow
@pytest.mark.parametrize("mishap", ["500", "refused", "not_json", "huge", "lost", "hang"])
def test_what_goes_wrong_before_the_call_has_no_effect(
    server: ToolsServer, adapter: McpAdapter, mishap: str
) -> None:
    config = pinned(server.url, "refund")
    server.mishap, server.mishap_at = mishap, "tools/list"

    outcome = adapter.invoke(call_refund(config), timeout_s=1)

    assert (outcome.status, outcome.retryable, server.refunds) == ("failed", True, [])


def test_what_a_server_quotes_is_in_no_log(
    server: ToolsServer, adapter: McpAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    token = Credential("t.o.ken-that-is-quoted", "Authorization", "Bearer")
    server.mishap = "quotes"
    with caplog.at_level("DEBUG"):
        outcome = adapter.invoke(call_refund(pinned(server.url, "refund"), token=token), timeout_s=10)
    assert (outcome.code, "t.o.ken" in caplog.text + outcome.detail) == ("bad_output", False)


def test_a_lost_greeting_is_the_end_of_it(server: ToolsServer, adapter: McpAdapter) -> None:
    """The SDK would go on with an older protocol, and send the call's token again and again."""
    config = pinned(server.url, "refund")
    server.requests.clear()
    server.mishap, server.mishap_at = "lost", "server/discover"

    outcome = adapter.invoke(call_refund(config), timeout_s=10)

    assert (outcome.status, outcome.retryable) == ("failed", True)
    assert server.methods() == ["server/discover"]


def test_a_changed_description_is_called_no_more(server: ToolsServer, adapter: McpAdapter) -> None:
    config = pinned(server.url, "refund")
    changed = {**config, "digest": "0" * 64}
    gone = {**config, "tool": "refund_all"}

    for each in (changed, gone):
        outcome = adapter.invoke(call_refund(each), timeout_s=10)
        assert (outcome.status, outcome.code, outcome.retryable) == ("failed", "definition_changed", False)
    assert (server.refunds, "tools/call" in server.methods()) == ([], False)


@pytest.mark.parametrize(
    ("config", "effect", "status"),
    [
        ({}, "irreversible", "unknown"),
        ({"error_is_refusal": True}, "irreversible", "failed"),
        ({}, "read", "failed"),
    ],
)
def test_an_error_of_the_tool_is_a_refusal_only_where_a_person_says_so(
    server: ToolsServer, adapter: McpAdapter, config: dict[str, bool], effect: str, status: str
) -> None:
    call = call_of(pinned(server.url, "refuse", **config), {"order": "A-17"}, effect)

    outcome = adapter.invoke(call, timeout_s=10)

    assert (outcome.status, outcome.counts_against_breaker) == (status, False)
    assert "no order A-17" in outcome.detail


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "status"), [("irreversible", "unknown"), ("read", "failed")])
def test_a_call_is_called_back(server: ToolsServer, adapter: McpAdapter, effect: str, status: str) -> None:
    recall = Recall()
    call = call_refund(pinned(server.url, "refund"), effect=effect, recall=recall)
    server.mishap = "hang"

    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(adapter.invoke, call, timeout_s=60)
        wait_for(lambda: bool(server.refunds))
        recall.call_back("run_killed")
        outcome = answer.result(30)

    assert (outcome.status, outcome.code) == (status, "called_back")


def test_nothing_is_started_too_late(server: ToolsServer, adapter: McpAdapter) -> None:
    call = call_refund(pinned(server.url, "refund"))
    server.requests.clear()
    outcome = adapter.invoke(call, timeout_s=10, not_after=0.0)
    assert (outcome.status, outcome.code, server.requests) == ("failed", "too_late", [])


@pytest.mark.slow
def test_a_slow_server_takes_nobody_elses_places(
    server: ToolsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.adapters.mcp.PLACES", 1)
    adapter = McpAdapter(AdapterOptions())
    slow, recall = pinned(server.url, "refund"), Recall()
    other = {**slow, "server": str(UUID(int=10))}
    server.mishap = "hang"

    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(adapter.invoke, call_refund(slow, recall=recall), timeout_s=60)
        wait_for(lambda: bool(server.refunds))
        server.mishap = ""
        refused = adapter.invoke(call_refund(slow), timeout_s=0.2)
        answered = adapter.invoke(call_refund(other), timeout_s=10)
        recall.call_back("run_killed")
        stuck.result(30)
    adapter.close()

    assert (refused.status, refused.code, answered.status) == ("failed", "saturated", "succeeded")


def wait_for(seen: Callable[[], bool]) -> None:
    """Wait until something was seen."""
    for _ in range(600):
        if seen():
            return
        time.sleep(0.05)
    raise AssertionError("it was not seen within 30 s")


def test_an_answer_against_the_pinned_schema_is_garbage(server: ToolsServer, adapter: McpAdapter) -> None:
    schema = {"type": "object", "required": ["amount"]}
    outcome = adapter.invoke(call_refund(pinned(server.url, "refund"), output_schema=schema), timeout_s=10)
    assert (outcome.status, outcome.code) == ("unknown", "bad_output")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"url": "http://127.0.0.1:9/mcp"}, "unreachable"),
        ({"allow_private": False}, "address_refused"),
        ({"url": "http://169.254.169.254/mcp"}, "address_refused"),
    ],
)
def test_only_what_may_be_connected_to_is(
    server: ToolsServer, adapter: McpAdapter, changes: dict[str, object], code: str
) -> None:
    config = {**pinned(server.url, "refund"), **changes}
    server.requests.clear()
    outcome = adapter.invoke(call_refund(config), timeout_s=2)
    assert (outcome.status, outcome.code, server.requests) == ("failed", code, [])
