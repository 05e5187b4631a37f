"""Exchanges: bounded in time, certain of what was never sent, over connections that are kept."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agentops.clock import lease_clock_s
from tests.suspending import needs_a_clock_that_goes_on, suspend_machine
from tests.tools.adapters.http.calls import PATIENCE_S, call_to, described, verdict
from tests.tools.rude_server import RudeServer, rude_server
from tools.adapters.base import AdapterOptions
from tools.adapters.http import HttpAdapter, wire
from tools.outcomes import Outcome, breaker_verdict
from tools.recall import Recall

FAR_TOO_LONG_MS = 10_000


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


def call_back_once_seen(server: RudeServer, recall: Recall) -> threading.Thread:
    """Call a call back from another thread as soon as its server has it."""

    def act() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not server.seen and time.monotonic() < deadline:
            time.sleep(0.002)
        recall.call_back("run_killed")

    thread = threading.Thread(target=act)
    thread.start()
    return thread


@pytest.mark.parametrize("path", ["slow", "drip-body", "endless"])
@pytest.mark.parametrize(("effect", "status"), [("read", "failed"), ("irreversible", "unknown")])
def test_a_call_that_is_called_back_is_cut_off(
    adapter: HttpAdapter, path: str, effect: str, status: str
) -> None:
    with rude_server() as server:
        recall = Recall()
        thread = call_back_once_seen(server, recall)
        call = call_to(f"{server.url}/{path}", effect=effect, recall=recall)
        outcome = adapter.invoke(call, timeout_s=PATIENCE_S)
        thread.join()
    assert verdict(outcome) == (status, "called_back", False, False)
    assert "run_killed" in outcome.detail
    assert outcome.latency_ms < FAR_TOO_LONG_MS
    assert breaker_verdict(outcome) is None, "it says nothing about the tool"


def test_over_tls_too(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = HttpAdapter(AdapterOptions())
    with rude_server(tls) as secure:
        recall = Recall()
        thread = call_back_once_seen(secure, recall)
        outcome = trusting.invoke(call_to(f"{secure.url}/slow", recall=recall), timeout_s=PATIENCE_S)
        thread.join()
    trusting.close()
    assert (outcome.status, outcome.code) == ("unknown", "called_back")


def test_what_was_called_back_before_it_was_sent_has_surely_had_no_effect(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    recall = Recall()
    recall.call_back("run_killed")
    outcome = adapter.invoke(call_to(f"{server.url}/ok", recall=recall), timeout_s=PATIENCE_S)
    assert verdict(outcome) == ("failed", "called_back", False, False)
    assert server.seen == []


def test_a_kept_connection_is_not_cut_in_the_name_of_the_call_before(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    before, after = Recall(), Recall()
    assert (
        adapter.invoke(call_to(f"{server.url}/ok", recall=before), timeout_s=PATIENCE_S).status == "succeeded"
    )

    def call_the_first_back() -> None:
        _wait_for(server, 2)
        before.call_back("run_killed")

    late = threading.Thread(target=call_the_first_back)
    late.start()
    outcome = adapter.invoke(call_to(f"{server.url}/late", recall=after), timeout_s=PATIENCE_S)
    late.join()
    assert outcome.status == "succeeded"
    assert server.seen[0].client_port == server.seen[1].client_port, "it is the same connection"


def _wait_for(server: RudeServer, calls: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(server.seen) < calls and time.monotonic() < deadline:
        time.sleep(0.002)


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
