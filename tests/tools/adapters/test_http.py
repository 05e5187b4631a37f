"""The adapter against a real server that misbehaves in every way we could think of."""

from __future__ import annotations

import json
import os
import posixpath
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from agentops.clock import lease_clock_s
from tests.suspending import needs_a_clock_that_goes_on, suspend_machine
from tests.tools.execution import TRACEPARENT, make_call, make_spec
from tests.tools.rude_server import RudeServer, rude_server
from tools.adapters.base import AdapterOptions
from tools.adapters.http import HttpAdapter, wire
from tools.adapters.http.answers import judge
from tools.adapters.http.config import KNOWN, find_faults, parse_endpoint, parse_read_back
from tools.adapters.http.request import build_request
from tools.calls import Call
from tools.execution import read_back
from tools.outcomes import DETAIL_LIMIT, Outcome, breaker_verdict

PATIENCE_S = 20.0  # far more than anything here takes; where time is the point, the test sets its own
FAR_TOO_LONG_MS = 10_000


@pytest.fixture(scope="module")
def server() -> Iterator[RudeServer]:
    with rude_server() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_seen(server: RudeServer) -> None:
    server.seen.clear()


@pytest.fixture(scope="module")
def adapter() -> Iterator[HttpAdapter]:
    made = HttpAdapter(AdapterOptions())
    yield made
    made.close()


def call_to(
    url: str,
    *,
    effect: str = "irreversible",
    method: str = "POST",
    arguments: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    **changes: Any,
) -> Call:  # Any: JSON, and fields of several types
    made = make_spec(effect=effect, config={"method": method, "url": url, **(config or {})}, **(spec or {}))
    return make_call(made, arguments, **changes)


def verdict(outcome: Outcome) -> tuple[str, str, bool, bool]:
    return outcome.status, outcome.code, outcome.retryable, outcome.counts_against_breaker


# What is seen, and what it means for a read and for an effect: status, retryable. Then code and breaker.
MISBEHAVIOUR = [
    # path, read, effect, code, counts
    ("drop", ("failed", True), ("unknown", True), "connection_lost", True),
    ("garbled", ("failed", True), ("unknown", True), "connection_lost", True),
    ("truncated", ("failed", True), ("unknown", True), "connection_lost", True),
    ("html", ("failed", True), ("unknown", True), "bad_output", True),
    ("empty", ("failed", True), ("unknown", True), "bad_output", True),
    ("gzip", ("failed", True), ("unknown", True), "bad_output", True),
    ("nan", ("failed", True), ("unknown", True), "bad_output", True),
    ("latin-1", ("failed", True), ("unknown", True), "bad_output", True),
    ("deep", ("failed", True), ("unknown", True), "bad_output", True),
    ("digits", ("failed", True), ("unknown", True), "bad_output", True),
    ("twice", ("failed", False), ("unknown", False), "bad_output", True),
    ("huge-number", ("failed", False), ("unknown", False), "bad_output", True),
    ("huge-integer", ("failed", False), ("unknown", False), "bad_output", True),
    ("surrogate", ("failed", False), ("unknown", False), "bad_output", True),
    ("nul", ("failed", False), ("unknown", False), "bad_output", True),
    ("big", ("failed", False), ("unknown", False), "bad_output", True),
    ("endless", ("failed", False), ("unknown", False), "bad_output", True),
    ("redirect/307", ("failed", False), ("failed", False), "redirected", False),
    ("redirect/308", ("failed", False), ("failed", False), "redirected", False),
    ("redirect/301", ("failed", False), ("unknown", False), "http_301", True),
    ("redirect/302", ("failed", False), ("unknown", False), "http_302", True),
    ("redirect/303", ("failed", False), ("unknown", False), "http_303", True),
    ("status/304", ("failed", False), ("unknown", False), "http_304", True),
    ("status/400", ("failed", False), ("failed", False), "http_400", False),
    ("status/401", ("failed", False), ("failed", False), "http_401", False),
    ("status/404", ("failed", False), ("failed", False), "http_404", False),
    ("status/408", ("failed", True), ("unknown", True), "http_408", True),
    ("status/409", ("failed", False), ("failed", False), "http_409", False),
    ("status/422", ("failed", False), ("failed", False), "http_422", False),
    ("status/425", ("failed", True), ("failed", True), "http_425", False),
    ("status/429", ("failed", True), ("failed", True), "http_429", False),
    ("status/500", ("failed", True), ("unknown", True), "http_500", True),
    ("status/502", ("failed", True), ("unknown", True), "http_502", True),
    ("status/503", ("failed", True), ("unknown", True), "http_503", True),
    ("status/503?retry-after=5", ("failed", True), ("unknown", True), "http_503", True),
    ("status/504", ("failed", True), ("unknown", True), "http_504", True),
    ("status/599", ("failed", True), ("unknown", True), "http_599", True),
]


@pytest.mark.parametrize(("path", "read", "effect", "code", "counts"), MISBEHAVIOUR)
def test_misbehaviour(
    server: RudeServer,
    adapter: HttpAdapter,
    path: str,
    read: tuple[str, bool],
    effect: tuple[str, bool],
    code: str,
    counts: bool,
) -> None:
    url = f"{server.url}/{path}"
    got = adapter.invoke(call_to(url, effect="read", method="GET"), timeout_s=PATIENCE_S)
    assert verdict(got) == (read[0], code, read[1], counts)
    for name in ("reversible", "irreversible"):
        outcome = adapter.invoke(call_to(url, effect=name), timeout_s=PATIENCE_S)
        assert verdict(outcome) == (effect[0], code, effect[1], counts)
    assert len(server.seen) == 3, "one request per attempt: no redirects, no hidden retries"


@pytest.mark.parametrize(("status", "hears"), [(425, None), (429, None), (400, True), (503, False)])
def test_a_call_that_the_tool_puts_off_says_nothing_of_its_health(
    server: RudeServer, adapter: HttpAdapter, status: int, hears: bool | None
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/{status}"), timeout_s=PATIENCE_S)
    assert breaker_verdict(outcome) is hears


@pytest.mark.parametrize("path", ["slow", "late", "drip-head", "drip-body"])
@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_the_time_limit_is_for_the_whole_exchange(
    server: RudeServer, adapter: HttpAdapter, path: str, effect: str, status: str
) -> None:
    """All but the first answer well in 1.5 to 3 s: a limit per read, or a longer one, would wait for that."""
    outcome = adapter.invoke(call_to(f"{server.url}/{path}", effect=effect), timeout_s=0.3)
    assert verdict(outcome) == (status, "timeout", True, True)
    assert outcome.latency_ms >= 300


def test_a_refusal_stays_one_even_if_its_words_never_arrive(server: RudeServer, adapter: HttpAdapter) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/refuse-and-drip"), timeout_s=0.3)
    assert verdict(outcome) == ("failed", "http_422", False, False)


def test_a_server_that_never_reads_does_not_hold_the_call(adapter: HttpAdapter) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        outcome = adapter.invoke(call_to(url, arguments={"text": "x" * 8_000_000}), timeout_s=0.3)
    assert verdict(outcome) == ("unknown", "timeout", True, True)
    assert outcome.latency_ms < FAR_TOO_LONG_MS


@pytest.mark.parametrize("effect", ["read", "irreversible"])
def test_what_was_never_sent_had_no_effect(adapter: HttpAdapter, effect: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for host in (f"127.0.0.1:{port}", "no-such-host.invalid", f"[::1]:{port}", "a..b"):
        outcome = adapter.invoke(call_to(f"http://{host}/", effect=effect), timeout_s=PATIENCE_S)
        assert verdict(outcome) == ("failed", "unreachable", True, True), host


def test_a_resolver_that_hangs_is_left_behind(adapter: HttpAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:  # Any: as the resolver takes and gives them
        released.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outcome = adapter.invoke(call_to("http://shop.example/"), timeout_s=0.05)
    released.set()
    assert verdict(outcome) == ("failed", "unreachable", True, True)


def test_a_handshake_that_never_ends_has_sent_nothing(adapter: HttpAdapter) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}/"
        outcome = adapter.invoke(call_to(url), timeout_s=0.3)
    assert verdict(outcome) == ("failed", "unreachable", True, True)
    assert outcome.latency_ms < FAR_TOO_LONG_MS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a self-signed certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test's server")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(signed.public_bytes(Encoding.PEM) + private)
    return path


def test_a_server_has_to_prove_its_name(
    adapter: HttpAdapter, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = HttpAdapter(AdapterOptions())
    with rude_server(tls) as secure:
        assert adapter.invoke(call_to(f"{secure.url}/ok"), timeout_s=PATIENCE_S).code == "unreachable"
        assert secure.seen == []
        assert trusting.invoke(call_to(f"{secure.url}/ok"), timeout_s=PATIENCE_S).status == "succeeded"
        other_name = secure.url.replace("127.0.0.1", "localhost")
        assert trusting.invoke(call_to(f"{other_name}/ok"), timeout_s=PATIENCE_S).code == "unreachable"
        assert trusting.invoke(call_to(f"{secure.url}/drip-body"), timeout_s=0.3).code == "timeout"
    trusting.close()


def test_a_server_that_hangs_up_on_connecting_may_have_read_the_request(adapter: HttpAdapter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        outcome = adapter.invoke(
            call_to(f"http://127.0.0.1:{listener.getsockname()[1]}/"), timeout_s=PATIENCE_S
        )
        thread.join()
    assert verdict(outcome) == ("unknown", "connection_lost", True, True)


def test_without_a_free_connection_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_CONNECTIONS", 1)
    narrow = HttpAdapter(AdapterOptions())
    with rude_server() as busy:
        holding = call_to(f"{busy.url}/slow")
        holder = threading.Thread(target=narrow.invoke, args=(holding,), kwargs={"timeout_s": PATIENCE_S})
        holder.start()
        while not busy.seen:
            time.sleep(0.005)
        outcome = narrow.invoke(call_to(f"{busy.url}/ok"), timeout_s=0.1)
        assert verdict(outcome) == ("failed", "saturated", True, False)
        assert [seen.target for seen in busy.seen] == ["/slow"]
        busy.released.set()
        holder.join()
    narrow.close()


@pytest.mark.parametrize("path", ["ok", "text-plain"])
def test_success(server: RudeServer, adapter: HttpAdapter, path: str) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/{path}"), timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("succeeded", "ok", False, False)
    assert outcome.value == {"fine": True}


def test_no_content_is_an_answer(server: RudeServer, adapter: HttpAdapter) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/204"), timeout_s=PATIENCE_S)
    assert (outcome.status, outcome.value) == ("succeeded", None)
    promised = {"output_schema": {"type": "object"}}
    outcome = adapter.invoke(call_to(f"{server.url}/status/204", spec=promised), timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("unknown", "bad_output", False, True)


@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_an_answer_has_to_fit_the_promised_schema(
    server: RudeServer, adapter: HttpAdapter, effect: str, status: str
) -> None:
    promised = {"output_schema": {"type": "object", "required": ["order_id"]}}
    outcome = adapter.invoke(call_to(f"{server.url}/ok", effect=effect, spec=promised), timeout_s=PATIENCE_S)
    assert verdict(outcome) == (status, "bad_output", False, True)
    assert "order_id is missing" in outcome.detail


def test_the_limit_of_bytes_can_be_set_and_is_exact(server: RudeServer, adapter: HttpAdapter) -> None:
    size = len(b'{"fine": true}')
    for limit, status in ((size, "succeeded"), (size - 1, "unknown")):
        call = call_to(f"{server.url}/ok", config={"response_limit_bytes": limit})
        assert adapter.invoke(call, timeout_s=PATIENCE_S).status == status


def test_a_problem_explains_itself_in_bounds(server: RudeServer, adapter: HttpAdapter) -> None:
    plain = adapter.invoke(call_to(f"{server.url}/status/400"), timeout_s=PATIENCE_S)
    assert plain.detail == "No: Not today"
    long = adapter.invoke(call_to(f"{server.url}/long-problem"), timeout_s=PATIENCE_S)
    assert long.detail.startswith("T: [2Jddd")
    assert len(long.detail) == DETAIL_LIMIT
    for path in ("odd-problem", "list-problem"):
        assert (
            adapter.invoke(call_to(f"{server.url}/{path}"), timeout_s=PATIENCE_S).detail
            == "The tool answered 400."
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999999", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("٣", None),
    ],
)
def test_retry_after_in_seconds(
    server: RudeServer, adapter: HttpAdapter, text: str, seconds: float | None
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/status/429?retry-after={text}"), timeout_s=PATIENCE_S)
    assert outcome.retry_after_s == seconds


def test_nothing_is_sent_after_the_time_for_it(server: RudeServer, adapter: HttpAdapter) -> None:
    call = call_to(f"{server.url}/ok")
    outcome = adapter.invoke(call, timeout_s=PATIENCE_S, not_after=lease_clock_s())
    assert verdict(outcome) == ("failed", "too_late", True, False)
    assert server.seen == []


@needs_a_clock_that_goes_on
def test_nothing_is_sent_after_the_machine_was_suspended(
    server: RudeServer, adapter: HttpAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    not_after = lease_clock_s() + PATIENCE_S
    suspend_machine(monkeypatch)
    outcome = adapter.invoke(call_to(f"{server.url}/ok"), timeout_s=PATIENCE_S, not_after=not_after)
    assert verdict(outcome) == ("failed", "too_late", True, False)
    assert server.seen == []


def test_retry_after_with_a_zone_that_overflows_is_none() -> None:
    headers = {"retry-after": "Mon, 01 Jan 2026 00:00:00 +99999999999999999999"}
    outcome = judge(call_to("http://shop.example/"), wire.Exchange(True, 429, headers), 100)
    assert (outcome.code, outcome.retry_after_s) == ("http_429", None)


@pytest.mark.parametrize(
    ("hours", "bounds"), [(1, (3500.0, 3600.0)), (-1, (0.0, 0.0)), (48, (86_400.0, 86_400.0))]
)
def test_retry_after_as_a_date(
    server: RudeServer, adapter: HttpAdapter, hours: int, bounds: tuple[float, float]
) -> None:
    outcome = adapter.invoke(call_to(f"{server.url}/busy-for-hours/{hours}"), timeout_s=PATIENCE_S)
    assert outcome.retry_after_s is not None
    assert bounds[0] <= outcome.retry_after_s <= bounds[1]


def described(server: RudeServer, adapter: HttpAdapter, call: Call) -> dict[str, Any]:
    """Return what the server saw of a call."""
    outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
    assert outcome.status == "succeeded", outcome
    return cast(dict[str, Any], outcome.value)


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
    assert headers["traceparent"] == TRACEPARENT
    assert headers["x-principal"] == "https://login.example|%C3%A4nn%7Cx%0D%0AX-Agent:%20root"
    assert headers["x-agent"] == "Refunds%20agent"
    assert headers["x-region"] == "eu"
    assert headers["host"] == server.url.removeprefix("http://")
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("traceparent", ["", "00-x", TRACEPARENT + "\r\nX-Evil: 1"])
def test_a_trace_that_is_none_is_left_out(server: RudeServer, adapter: HttpAdapter, traceparent: str) -> None:
    headers = described(server, adapter, call_to(f"{server.url}/echo", traceparent=traceparent))["headers"]
    assert "traceparent" not in headers
    assert "x-evil" not in headers


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


def test_a_repeated_key_that_is_still_at_work_may_be_asked_again(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    for attempt, idempotency, retryable in (
        (1, "honours_key", False),
        (2, "honours_key", True),
        (2, "none", False),
    ):
        call = call_to(f"{server.url}/status/409", spec={"idempotency": idempotency}, attempt=attempt)
        assert verdict(adapter.invoke(call, timeout_s=PATIENCE_S)) == ("failed", "http_409", retryable, False)


READ_BACKS = [
    ("ok", "succeeded", "ok"),
    ("status/404", "failed", "not_executed"),
    ("not-found-page", "unknown", "http_404"),
    ("status/204", "unknown", "http_204"),
    ("status/401", "unknown", "http_401"),
    ("status/410", "unknown", "http_410"),
    ("status/429", "unknown", "http_429"),
    ("status/500", "unknown", "http_500"),
    ("redirect/307", "unknown", "http_307"),
    ("html", "unknown", "bad_output"),
    ("drop", "unknown", "connection_lost"),
]


@pytest.mark.parametrize(("path", "status", "code"), READ_BACKS)
def test_read_back(server: RudeServer, path: str, status: str, code: str) -> None:
    config = {"read_back": {"method": "GET", "url": f"{server.url}/{path}/{{idempotency_key}}"}}
    spec = {"timeout_s": PATIENCE_S}
    call = call_to(f"{server.url}/ok", arguments={"amount": 5}, config=config, key="run:1/2", spec=spec)
    outcome = read_back(call)
    assert outcome is not None
    assert (outcome.status, outcome.code) == (status, code)
    assert [(seen.method, seen.target) for seen in server.seen] == [("GET", f"/{path}/run%3A1%2F2")]


def test_a_read_back_that_cannot_be_sent_proves_nothing() -> None:
    config = {"read_back": {"url": "http://no-such-host.invalid/{idempotency_key}"}}
    spec = {"timeout_s": PATIENCE_S}
    outcome = read_back(call_to("http://no-such-host.invalid/", config=config, spec=spec))
    assert outcome is not None
    assert (outcome.status, outcome.code) == ("unknown", "unreachable")


def test_without_a_read_back_there_is_none(server: RudeServer, adapter: HttpAdapter) -> None:
    assert adapter.read_back(call_to(f"{server.url}/ok"), timeout_s=PATIENCE_S) is None


GOOD = {"method": "POST", "url": "https://shop.example/orders/{order_id}/cancel"}


@pytest.mark.parametrize(
    "config",
    [
        GOOD,
        {**GOOD, "method": "DELETE"},
        {**GOOD, "body": "none", "query": ["a"], "headers": {"X-Region": "eu", "X-Author": "us"}},
        {**GOOD, "url": "http://[::1]:8080/"},
        {**GOOD, "url": "http://127.0.0.1:8080"},
        {**GOOD, "response_limit_bytes": 5_000_000},
        {**GOOD, "read_back": {"method": "GET", "url": "https://shop.example/effects/{idempotency_key}"}},
    ],
)
def test_good_configurations(adapter: HttpAdapter, config: dict[str, Any]) -> None:
    assert adapter.check_config(config) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "TRACE"}, "set method"),
        ({"method": None}, "set method"),
        ({"method": []}, "set method"),
        ({"url": None}, "set url"),
        ({"url": "shop.example/orders"}, "set url"),
        ({"url": "file:///etc/passwd"}, "set url"),
        ({"url": "gopher://shop.example/"}, "set url"),
        ({"url": "https://{tenant}.example/"}, "only into the url's path"),
        ({"url": "https://shop.example/?id={id}"}, "only into the url's path"),
        ({"url": "https://shop.example/{}"}, "only into the url's path"),
        ({"url": "https://shop.example/{a b}"}, "only into the url's path"),
        ({"url": "https://shop.example/{a"}, "only into the url's path"),
        ({"url": "https://shop.example:99999/"}, "correct the url"),
        ({"url": "https://[shop/"}, "correct the url"),
        ({"url": "https://ann:pw@shop.example/"}, "remove user"),
        ({"url": "https://shop.example/#top"}, "fragment"),
        ({"url": "https://shop.example/a b"}, "printable ASCII"),
        ({"url": "https://shöp.example/"}, "printable ASCII"),
        ({"url": "https://shop.example/\r\nX: y"}, "printable ASCII"),
        ({"url": "https://shop.example/a/%2e%2e/b"}, ". and .. segments"),
        ({"url": "https://shop.example/a/..{order_id}"}, ". and .. segments"),
        ({"body": "xml"}, "set body"),
        ({"method": "GET", "body": "json"}, "set body"),
        ({"query": "a"}, "set query"),
        ({"query": [1]}, "set query"),
        ({"headers": []}, "set headers"),
        ({"headers": {"Authorization": "Bearer x"}}, "credentials"),
        ({"headers": {"X-Api-Key": "x"}}, "credentials"),
        ({"headers": {"X-Auth": "x"}}, "credentials"),
        ({"headers": {"Cookie": "x"}}, "credentials"),
        ({"headers": {"Host": "other.example"}}, "set for every call"),
        ({"headers": {"idempotency-key": "x"}}, "set for every call"),
        ({"headers": {"X-Principal": "root"}}, "set for every call"),
        ({"headers": {"X Y": "x"}}, "no name of a header"),
        ({"headers": {"X-Y": "x\r\nZ: 1"}}, "printable ASCII"),
        ({"headers": {"X-Y": 5}}, "printable ASCII"),
        ({"response_limit_bytes": 0}, "response_limit_bytes"),
        ({"response_limit_bytes": True}, "response_limit_bytes"),
        ({"response_limit_bytes": 10**9}, "response_limit_bytes"),
        ({"read_back": {"method": "POST", "url": "https://shop.example/{idempotency_key}"}}, "set read_back"),
        ({"read_back": {"url": "https://shop.example/effects"}}, "name {idempotency_key}"),
        ({"read_back": {"url": "ftp://shop.example/{idempotency_key}"}}, "read_back: set url"),
        ({"read_back": []}, "set read_back"),
        ({"timeout": 5}, "remove 'timeout'"),
    ],
)
def test_bad_configurations_are_refused_with_a_remedy(
    server: RudeServer, adapter: HttpAdapter, changes: dict[str, Any], words: str
) -> None:
    remedies = adapter.check_config({**GOOD, **changes})
    assert any(words in remedy for remedy in remedies), remedies
    outcome = adapter.invoke(
        make_call(make_spec(effect="irreversible", config={**GOOD, **changes})), timeout_s=5
    )
    assert verdict(outcome) == ("failed", "bad_config", False, False)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*KNOWN, "other"]), anything | st.sampled_from(list(GOOD.values()))))
def test_whatever_is_typed_in_is_either_refused_or_can_be_called(config: dict[str, Any]) -> None:
    faults = find_faults(config)
    assert all(isinstance(fault, str) for fault in faults)
    if not faults:
        parse_endpoint(config)
        parse_read_back(config)


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


def test_connections_are_kept_and_not_shared_over_a_fork(server: RudeServer, adapter: HttpAdapter) -> None:
    call = call_to(f"{server.url}/echo")
    before = described(server, adapter, call)["client_port"]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # Python 3.12 on fork with threads: it is the point
        child = os.fork()
    if child == 0:
        outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
        value = cast(dict[str, Any], outcome.value or {})
        os._exit(0 if outcome.status == "succeeded" and value["client_port"] != before else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert described(server, adapter, call)["client_port"] == before


def test_many_threads_share_the_pool(server: RudeServer, adapter: HttpAdapter) -> None:
    outcomes: list[tuple[int, Outcome]] = []

    def work(number: int) -> None:
        call = call_to(f"{server.url}/echo/{number}", key=f"key:{number}")
        outcomes.append((number, adapter.invoke(call, timeout_s=PATIENCE_S)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 40
    for number, outcome in outcomes:
        seen = cast(dict[str, Any], outcome.value)
        assert (seen["target"], seen["headers"]["idempotency-key"]) == (f"/echo/{number}", f"key:{number}")


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    call = call_to(f"{server.url}/answer-and-hang-up")
    for _ in range(20):
        assert adapter.invoke(call, timeout_s=PATIENCE_S).status == "succeeded"
        server.hung_up.wait(PATIENCE_S)
        server.hung_up.clear()
