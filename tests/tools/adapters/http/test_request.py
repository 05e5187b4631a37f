"""What goes out: who asks for whom, under which key, and every argument in its place."""

from __future__ import annotations

import json
import posixpath
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools.adapters.http.calls import GOOD, PATIENCE_S, anything, call_to, described, verdict
from tests.tools.execution import TRACEPARENT, TRACESTATE, make_call, make_spec
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter
from tools.adapters.http.config import parse_endpoint
from tools.adapters.http.request import build_request


def test_who_asks_for_whom_and_under_which_key_travels_along(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    call = call_to(
        f"{server.url}/echo",
        key="run:1:refund:0",
        principal_issuer="https://login.example",
        principal_subject="änn|x\r\nX-Agent: root",
        identity_name="Refunds agent",
        config={"headers": {"X-Region": "eu"}},
    )
    headers = described(server, adapter, call)["headers"]
    assert headers["idempotency-key"] == "run:1:refund:0"
    assert (headers["traceparent"], headers["tracestate"]) == (TRACEPARENT, TRACESTATE)
    assert headers["x-principal"] == "https://login.example|%C3%A4nn%7Cx%0D%0AX-Agent:%20root"
    assert headers["x-agent"] == "Refunds%20agent"
    assert headers["x-region"] == "eu"
    assert headers["host"] == server.url.removeprefix("http://")
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("traceparent", ["", "00-x", TRACEPARENT + "\r\nX-Evil: 1"])
def test_a_trace_that_is_none_is_left_out(server: RudeServer, adapter: HttpAdapter, traceparent: str) -> None:
    headers = described(server, adapter, call_to(f"{server.url}/echo", traceparent=traceparent))["headers"]
    assert not {"traceparent", "tracestate"} & headers.keys(), "a state says nothing without its parent"
    assert "x-evil" not in headers


@pytest.mark.parametrize("tracestate", ["", "congo", TRACESTATE + "\r\nX-Evil: 1"])
def test_a_state_that_is_none_is_left_out(server: RudeServer, adapter: HttpAdapter, tracestate: str) -> None:
    headers = described(server, adapter, call_to(f"{server.url}/echo", tracestate=tracestate))["headers"]
    assert headers["traceparent"] == TRACEPARENT
    assert not {"tracestate", "x-evil"} & headers.keys()


def test_arguments_go_into_path_query_and_body(server: RudeServer, adapter: HttpAdapter) -> None:
    arguments = {"order_id": "#W1 é", "verbose": True, "tags": ["a b", "c&d"], "reason": "ünwanted", "n": 2.5}
    call = call_to(
        f"{server.url}/echo/{{order_id}}/cancel?v=1",
        arguments=arguments,
        config={"query": ["verbose", "tags", "absent"]},
    )
    seen = described(server, adapter, call)
    assert seen["target"] == "/echo/%23W1%20%C3%A9/cancel?v=1&verbose=true&tags=a%20b&tags=c%26d"
    assert json.loads(seen["body"]) == {"reason": "ünwanted", "n": 2.5}
    assert seen["headers"]["content-type"] == "application/json"


def test_without_a_body_the_rest_goes_into_the_query(server: RudeServer, adapter: HttpAdapter) -> None:
    call = call_to(f"{server.url}/echo", method="GET", arguments={"a": 1, "b": "x y", "none": None})
    seen = described(server, adapter, call)
    assert (seen["method"], seen["target"], seen["body"]) == ("GET", "/echo?a=1&b=x%20y", "")


def test_an_effect_without_arguments_sends_an_empty_object(server: RudeServer, adapter: HttpAdapter) -> None:
    assert described(server, adapter, call_to(f"{server.url}/echo"))["body"] == "{}"


@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "",
        "../admin",
        "a/../b",
        "a\\..\\b",
        "%2e%2e",
        "%252e%252e/x",
        "..;x",
        "/",
        "a/b",
        "a%2Fb",
        "\\",
        "a\0b",
        "a\r\nb",
        None,
        [],
        {},
    ],
)
def test_no_argument_leads_to_another_address(
    server: RudeServer, adapter: HttpAdapter, value: object
) -> None:
    call = call_to(f"{server.url}/echo/{{order_id}}", arguments={"order_id": value})
    outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("failed", "bad_argument", False, False)
    assert server.seen == []


def test_an_argument_without_a_place_is_not_dropped(server: RudeServer, adapter: HttpAdapter) -> None:
    config = {"body": "none", "query": ["a"]}
    call = call_to(f"{server.url}/echo", arguments={"a": 1, "amount": 5}, config=config)
    outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("failed", "bad_argument", False, False)
    assert "amount" in outcome.detail
    assert server.seen == []


@given(
    st.fixed_dictionaries(
        {"order_id": st.text(st.sampled_from("./\\%25eE;aé#?& \n")) | anything},
        optional={"a": anything, "b": anything},
    )
)
def test_whatever_the_arguments_the_address_stays_below_the_configured_one(arguments: dict[str, Any]) -> None:
    endpoint = parse_endpoint({**GOOD, "query": ["a"]})
    try:
        request = build_request(endpoint, make_call(make_spec(), arguments))
    except ValueError:
        return
    path = unquote(unquote(request.target.partition("?")[0]))
    assert posixpath.normpath(path) == path.rstrip("/")
    assert path.startswith("/orders/")
    assert (request.scheme, request.host) == ("https", "shop.example")
    assert all(b"\r" not in value and b"\n" not in value for _, value in request.headers)
    assert json.loads(request.body or b"") == {n: v for n, v in arguments.items() if n == "b"}
