"""A tool's address leads to no network of our own: looked at after resolving, and the very address is connected to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.tools.adapters.http.calls import PATIENCE_S, call_to, verdict
from tests.tools.rude_server import RudeServer
from tools.adapters.http import HttpAdapter
from tools.outcomes import Outcome

NAME = "shop.example"
REFUSED = ("failed", "address_refused", False, False)
LITERALS = [
    "127.0.0.1", "2130706433", "0x7f.1", "017700000001", "127.1", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]",
    "0", "localhost", "LocalHost",
]  # fmt: skip


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a name resolve to a public address at first and to this machine ever after; collect what was resolved."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **named: Any) -> Any:  # Any: as the resolver takes and gives them
        if host != NAME:
            return real(host, *rest, **named)
        asked.append(host)
        return real("127.0.0.1", *rest, **named) if len(asked) > 1 else [(0, 0, 0, "", ("93.184.215.14", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def call(adapter: HttpAdapter, url: str, *, timeout_s: float = PATIENCE_S, **config: Any) -> Outcome:
    return adapter.invoke(call_to(url, config={"allow_private": False, **config}), timeout_s=timeout_s)


@pytest.mark.parametrize("host", LITERALS)
def test_no_way_of_writing_it_leads_inside(server: RudeServer, adapter: HttpAdapter, host: str) -> None:
    before = server.connections
    port = server.url.rpartition(":")[2]
    assert verdict(call(adapter, f"http://{host}:{port}/ok")) == REFUSED
    assert (server.seen, server.connections) == ([], before)


def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    server: RudeServer, adapter: HttpAdapter, looked_up: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Any] = []

    def connect(
        address: Any, *_: Any, **__: Any
    ) -> socket.socket:  # Any: as the library takes and gives them
        connected.append(address[0])
        raise OSError("no route: the test has no internet")

    monkeypatch.setattr(socket, "create_connection", connect)
    port = server.url.rpartition(":")[2]
    assert call(adapter, f"http://{NAME}:{port}/ok").code == "unreachable"
    assert (looked_up, connected) == ([NAME], ["93.184.215.14"]), (
        "looked up once, and not by the socket again"
    )
    assert verdict(call(adapter, f"http://{NAME}:{port}/ok")) == REFUSED
    assert connected == ["93.184.215.14"]
    assert server.seen == []


def test_a_redirect_leads_nowhere(server: RudeServer, adapter: HttpAdapter) -> None:
    outcome = call(adapter, f"{server.url}/redirect/302", allow_private=True)
    assert (outcome.status, outcome.code) == ("unknown", "http_302")
    assert [seen.target for seen in server.seen] == ["/redirect/302"]


def test_a_connection_of_a_tool_that_may_is_not_used_by_one_that_may_not(
    server: RudeServer, adapter: HttpAdapter
) -> None:
    assert call(adapter, f"{server.url}/ok", allow_private=True).status == "succeeded"
    assert verdict(call(adapter, f"{server.url}/ok")) == REFUSED
    assert len(server.seen) == 1


def test_a_kept_connection_takes_no_look_at_names(
    server: RudeServer, adapter: HttpAdapter, looked_up: list[str]
) -> None:
    looked_up.append("the first look, so that all others lead here")
    url = f"http://{NAME}:{server.url.rpartition(':')[2]}/ok"
    for _ in range(3):
        assert call(adapter, url, allow_private=True).status == "succeeded"
    assert looked_up[1:] == [NAME]


def test_a_read_back_leads_inside_no_more_than_the_call(server: RudeServer, adapter: HttpAdapter) -> None:
    config = {"allow_private": False, "read_back": {"url": f"{server.url}/ok/{{idempotency_key}}"}}
    answer = adapter.read_back(call_to("https://shop.example/", config=config), timeout_s=PATIENCE_S)
    assert answer is not None
    assert answer.code == "address_refused"
    assert server.seen == []
