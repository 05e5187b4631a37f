"""What is connected to at somebody's word: the public internet, and what both they and the operator say."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, ip_network
from typing import Any

import pytest
from pytest_django import Settings

from agentops.outgoing import AddressRefused, resolve

PATIENCE_S = 20.0
PRIVATE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "fd12::1",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1",
]  # fmt: skip
# The same in the other ways that people and libraries write them; a resolver makes addresses of them.
SPELLINGS = ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "localhost", "LOCALHOST"]
NEVER = [
    str(IPv4Address(0)), "::", "169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "fe80::1",
    "224.0.0.1", "ff02::1",
]  # fmt: skip
# Reserved, for documentation, or a way through to somewhere else.
NOWHERE = [
    "192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.1", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "2002:7f00:1::", "2001:0:53aa:64c:0:fffe:80ff:fffe", "2001:db8::1", "3fff::1", "fec0::1", "::127.0.0.1",
    "64:ff9b:1::a00:1", "100::1",
]  # fmt: skip


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Provide a resolver whose answers a test sets, one list after the other; the last one stays."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, *rest: Any, **named: Any) -> Any:  # Any: as the resolver takes and gives them
        if host not in answers:
            return real(host, *rest, **named)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [(0, 0, 0, "", (address, 0)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return answers


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER, *NOWHERE])
def test_what_is_not_surely_public_is_refused(address: str, names: dict[str, list[list[str]]]) -> None:
    # One good address excuses no other, and a dot at the end of a name changes nothing.
    names["a-name.example."] = [["93.184.215.14", address]]
    for host in (address, "a-name.example."):
        with pytest.raises(AddressRefused):
            resolve(host, 443, allow_private=False, within_s=PATIENCE_S)


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_hides_an_address(host: str) -> None:
    with pytest.raises(AddressRefused):
        resolve(host, 443, allow_private=False, within_s=PATIENCE_S)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e"])
def test_the_public_internet_is_not(address: str) -> None:
    assert resolve(address, 443, allow_private=False, within_s=PATIENCE_S) == [address]


def test_a_private_network_takes_the_targets_word_and_the_operators(settings: Settings) -> None:
    assert resolve("127.0.0.1", 80, allow_private=True, within_s=PATIENCE_S) == ["127.0.0.1"]
    with pytest.raises(AddressRefused):
        resolve("10.1.2.3", 80, allow_private=True, within_s=PATIENCE_S)
    settings.OUTGOING_PRIVATE_NETWORKS = [ip_network("10.1.0.0/16")]
    assert resolve("10.1.2.3", 80, allow_private=True, within_s=PATIENCE_S) == ["10.1.2.3"]
    for host in ("10.1.2.3", "127.0.0.1"):
        with pytest.raises(AddressRefused):
            resolve(host, 80, allow_private=host == "127.0.0.1", within_s=PATIENCE_S)


@pytest.mark.parametrize("host", NEVER)
def test_some_addresses_no_word_opens(host: str, settings: Settings) -> None:
    settings.OUTGOING_PRIVATE_NETWORKS = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    with pytest.raises(AddressRefused):
        resolve(host, 80, allow_private=True, within_s=PATIENCE_S)


def test_a_name_without_an_address_is_no_refusal() -> None:
    for host in ("no-such-host.invalid", "a..b", "/var/run/postgresql", "one.example,two.example"):
        with pytest.raises(OSError, match="cannot be resolved"):
            resolve(host, 80, allow_private=True, within_s=PATIENCE_S)
