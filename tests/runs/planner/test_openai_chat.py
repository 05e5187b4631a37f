"""The planner against a real server: what it sends, and one outcome for every fault."""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.planner.answers import Charge, PlannerAnswer, PlannerFailure, ProposedCall, Usage
from runs.planner.openai_chat import OpenAIPlanner
from tests.runs.planner.conftest import Ask
from tests.runs.planner.provider import Provider, Turn, call, completion, drip, raw, reply
from tests.runs.planner.questions import API_KEY, PROMPT, answered, failed, question


def test_a_request_arrives_as_chat_completions_has_it(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(reply(completion()))
    planner.ask(question(temperature=0.25, tracestate="congo=t61rcWkgMzE,rojo=1"))
    (received,) = provider.received
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == f"Bearer {API_KEY}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["traceparent"] == question().traceparent
    assert received.headers["tracestate"] == "congo=t61rcWkgMzE,rojo=1"
    assert received.body == {
        "model": "model-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": PROMPT}],
        "max_completion_tokens": 500,
        "temperature": 0.25,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_order",
                    "description": "Look up an order.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
    }


def test_what_is_not_asked_for_is_not_sent(provider: Provider, planner: OpenAIPlanner) -> None:
    provider.play(reply(completion()))
    planner.ask(question(tools=(), traceparent=""))
    (received,) = provider.received
    assert set(received.body) == {"model", "messages", "max_completion_tokens"}
    assert not {"traceparent", "tracestate"} & received.headers.keys()


def test_a_turn_with_calls_and_all_kinds_of_tokens(ask: Ask) -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    message = {"content": "Let me look.", "reasoning_content": "Orders first.", "tool_calls": [call()]}
    answer = answered(
        ask(reply(completion(message=message, choice={"finish_reason": "tool_calls"}, usage=usage)))
    )
    assert answer.text == "Let me look."
    assert answer.thought == "Orders first."
    assert answer.calls == (
        ProposedCall("get_order", {"order_id": "W1"}, '{"order_id": "W1"}', "call_a", None),
    )
    assert answer.usage == Usage(100, 20, 60, 30, 5)
    assert (answer.finish_reason, answer.model, answer.response_id) == (
        "tool_calls",
        "model-1-2026",
        "chatcmpl-1",
    )
    assert answer.refusal is None
    assert answer.latency_ms >= 0


REFUSALS: list[tuple[int, str, bool, Charge]] = [
    (301, "planner_rejected", False, "none"),
    (307, "planner_rejected", False, "none"),
    (400, "planner_rejected", False, "none"),
    (401, "planner_unauthorised", False, "none"),
    (402, "planner_rejected", False, "none"),
    (403, "planner_unauthorised", False, "none"),
    (404, "planner_rejected", False, "none"),
    (408, "planner_unavailable", True, "estimated"),
    (409, "planner_unavailable", True, "none"),
    (413, "planner_rejected", False, "none"),
    (422, "planner_rejected", False, "none"),
    (429, "planner_rate_limited", True, "none"),
    (500, "planner_unavailable", True, "estimated"),
    (502, "planner_unavailable", True, "estimated"),
    (503, "planner_unavailable", True, "none"),
    (504, "planner_unavailable", True, "estimated"),
    (529, "planner_unavailable", True, "none"),
]


@pytest.mark.parametrize(("status", "code", "retryable", "charge"), REFUSALS)
def test_each_status_has_its_outcome_and_is_asked_once(
    provider: Provider, ask: Ask, status: int, code: str, retryable: bool, charge: Charge
) -> None:
    failure = failed(ask(reply({"error": {"message": PROMPT}}, status, Location="/elsewhere")))
    assert (failure.code, failure.retryable, failure.charge) == (code, retryable, charge)
    assert failure.detail == f"HTTP {status}"
    assert len(provider.received) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_a_provider_asks_for_is_passed_on(ask: Ask, status: int) -> None:
    assert failed(ask(reply({}, status, Retry_After="7"))).retry_after_s == 7.0


def test_an_error_body_gives_away_neither_key_nor_prompt(ask: Ask) -> None:
    echo = {"message": f"{API_KEY} {PROMPT}", "code": API_KEY, "type": PROMPT, "param": PROMPT}
    for status in (400, 401, 429, 500):
        failure = failed(ask(reply({"error": echo}, status)))
        assert API_KEY not in repr(failure)
        assert PROMPT not in repr(failure)


def test_a_known_error_code_is_quoted(ask: Ask) -> None:
    error = {"message": PROMPT, "type": "invalid_request_error", "code": "context_length_exceeded"}
    assert failed(ask(reply({"error": error}, 400))).detail == "HTTP 400 context_length_exceeded"


def test_a_refused_connection_costs_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        failure = failed(OpenAIPlanner(base_url=url, api_key=API_KEY).ask(question()))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_unreachable", True, "none")


def test_a_server_without_tls_on_an_https_address_costs_nothing(provider: Provider) -> None:
    url = provider.base_url.replace("http:", "https:")
    failure = failed(OpenAIPlanner(base_url=url, api_key=API_KEY).ask(question(timeout_s=5.0)))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_unreachable", True, "none")


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
BODY = json.dumps(completion()).encode()


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(lambda conversation: conversation.wait(), id="silence"),
        pytest.param(drip(HEAD + BODY, every_s=0.05), id="headers drip"),
        pytest.param(drip(BODY, every_s=0.05, at_once=HEAD), id="body drips"),
    ],
)
def test_the_timeout_is_one_for_the_whole_exchange(
    provider: Provider, planner: OpenAIPlanner, turn: Turn
) -> None:
    """Each single byte comes in time, and the last one seconds too late."""
    provider.play(turn)
    failure = failed(planner.ask(question(timeout_s=0.4)))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_timeout", True, "estimated")


def test_the_planner_s_own_timeout_is_a_ceiling(provider: Provider) -> None:
    provider.play(lambda conversation: conversation.wait())
    planner = OpenAIPlanner(base_url=provider.base_url, api_key=API_KEY, total_timeout_s=0.3)
    assert failed(planner.ask(question(timeout_s=50.0))).code == "planner_timeout"


def test_a_connection_that_is_never_accepted_times_out_without_charge() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        # With a backlog of 0 the kernel still takes one connection or two; the next one waits.
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(address)
        planner = OpenAIPlanner(
            base_url=f"http://127.0.0.1:{address[1]}/v1", api_key=API_KEY, connect_timeout_s=0.3
        )
        failure = failed(planner.ask(question(timeout_s=30.0)))
        for client in waiting:
            client.close()
    assert (failure.code, failure.retryable, failure.charge) == ("planner_timeout", True, "none")


LENGTH_100 = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="half of the headers"),
        pytest.param(LENGTH_100 + b'{"choices"', id="half of the body"),
        pytest.param(CHUNKED + b"5\r\nhello\r\n", id="half of the chunks"),
        pytest.param(CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", id="a chunk of no length"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000 + b"\r\n\r\n{}", id="endless header"),
    ],
)
def test_a_connection_lost_after_sending_may_have_cost_something(ask: Ask, data: bytes) -> None:
    failure = failed(ask(raw(data)))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_connection_lost", True, "estimated")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(garbage=st.binary(max_size=200), headed=st.booleans())
def test_garbage_never_raises(ask: Ask, garbage: bytes, headed: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(garbage) if headed else b""
    failure = failed(ask(raw(head + garbage)))
    assert failure.retryable
    assert failure.charge == "estimated"


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_body_that_is_not_json(ask: Ask, body: bytes) -> None:
    failure = failed(ask(reply(body)))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_invalid_answer", True, "estimated")


def test_a_body_of_10_mb_is_refused(ask: Ask) -> None:
    failure = failed(ask(reply(completion(message={"content": "x" * 10_000_000}))))
    assert (failure.code, failure.retryable, failure.charge) == (
        "planner_answer_too_large",
        False,
        "estimated",
    )


def test_an_error_body_of_10_mb_is_refused_as_well(ask: Ask) -> None:
    assert failed(ask(reply({"error": "x" * 10_000_000}, 400))).code == "planner_answer_too_large"


def test_an_endless_body_is_left_at_the_limit(provider: Provider, ask: Ask) -> None:
    written = 0

    def endless(conversation: Any) -> None:
        nonlocal written
        conversation.wfile.write(CHUNKED)
        while not provider.over.is_set():  # ends with the client's leaving
            conversation.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            written += 0x10000

    assert failed(ask(endless)).code == "planner_answer_too_large"
    # What the sockets hold in between comes on top of the limit.
    assert written < 32 * 1024 * 1024


def test_a_body_just_under_the_limit_is_read(ask: Ask) -> None:
    answer = answered(ask(reply(completion(message={"content": "x" * (4 * 1024 * 1024 - 1000)}))))
    assert len(answer.text) == 4 * 1024 * 1024 - 1000


def test_a_compressed_body_is_refused_before_it_grows(ask: Ask) -> None:
    failure = failed(ask(reply(b"\x1f\x8b\x08\x00bomb", Content_Encoding="gzip")))
    assert (failure.code, failure.retryable) == ("planner_invalid_answer", False)


def test_compression_is_not_asked_for(provider: Provider, ask: Ask) -> None:
    ask(reply(completion()))
    assert provider.received[0].headers["accept-encoding"] == "identity"


def test_a_redirect_takes_the_prompt_nowhere(provider: Provider, ask: Ask) -> None:
    assert failed(ask(reply({}, 307, Location=provider.base_url + "/other"))).code == "planner_rejected"
    assert [received.path for received in provider.received] == ["/v1/chat/completions"]


def test_a_prompt_that_utf_8_cannot_carry_is_a_failure_without_a_call(
    provider: Provider, planner: OpenAIPlanner
) -> None:
    messages = ({"role": "user", "content": f"{PROMPT} \ud800"},)
    failure = failed(planner.ask(question(messages=messages)))
    assert (failure.code, failure.retryable, failure.charge) == ("planner_request_invalid", False, "none")
    assert PROMPT not in failure.detail
    assert provider.received == []


def test_200_threads_share_one_client(provider: Provider, planner: OpenAIPlanner) -> None:
    """All requests are on their way at once: the server answers none before it has them all."""
    together = threading.Barrier(200, timeout=60)

    def turn(conversation: Any) -> None:
        together.wait()
        reply(completion(id=f"answer to {conversation.headers['traceparent'][-5:-3]}"))(conversation)

    provider.play(turn)
    outcomes: dict[str, PlannerAnswer | PlannerFailure] = {}

    def run(number: int) -> None:
        parent = f"00-{number:032x}-{number:016x}-01"
        outcomes[parent] = planner.ask(question(traceparent=parent, timeout_s=55.0))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 201)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 200
    for parent, outcome in outcomes.items():
        assert answered(outcome).response_id == f"answer to {parent[-5:-3]}"
    assert len(provider.received) == 200


def test_a_proxy_is_used_when_given(provider: Provider) -> None:
    provider.play(reply(completion()))
    proxy_url = provider.base_url.removesuffix("/v1")
    planner = OpenAIPlanner(base_url="http://model.invalid/v1", api_key=API_KEY, proxy_url=proxy_url)
    answered(planner.ask(question()))
    assert provider.received[0].path == "http://model.invalid/v1/chat/completions"


def test_proxy_variables_of_the_environment_are_not_read(
    provider: Provider, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    answered(ask(reply(completion())))


@pytest.mark.parametrize("api_key", ["", "sk-1\n", "sk 1", "sk-é"])
def test_an_unusable_key_is_refused_without_showing_it(api_key: str) -> None:
    with pytest.raises(ValueError, match="API key") as raised:
        OpenAIPlanner(api_key=api_key)
    assert "sk" not in str(raised.value)


@pytest.mark.parametrize("base_url", ["", "ftp://host/v1", "host/v1", "http://", "https://user:pw@host/v1"])
def test_an_unusable_address_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        OpenAIPlanner(api_key=API_KEY, base_url=base_url)


def test_a_planner_does_not_show_its_key(planner: OpenAIPlanner) -> None:
    assert API_KEY not in repr(planner)
