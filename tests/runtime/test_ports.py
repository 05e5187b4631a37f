"""Choosing ports."""

from __future__ import annotations

import socket
import threading

import pytest

from agentops.runtime import application, ports


def test_a_busy_port_yields_the_next_free_one() -> None:
    with socket.socket() as busy:
        busy.bind((ports.LOOPBACK, 0))
        busy.listen()
        taken = busy.getsockname()[1]

        assert taken < ports.free_port(taken) < taken + ports.TRIED
        assert ports.accepts(taken)


def test_free_ports_differ_and_are_free() -> None:
    chosen = ports.free_ports(5)

    assert len(set(chosen)) == 5
    assert not any(map(ports.accepts, chosen))


def test_giving_up_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)

    with pytest.raises(OSError, match="choose another with --port"):
        ports.free_port(8000)


def test_the_highest_port_is_the_last_one_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def is_busy(port: int) -> bool:
        tried.append(port)
        return False

    monkeypatch.setattr(ports, "is_free", is_busy)

    with pytest.raises(OSError, match="busy"):
        ports.free_port(65530)
    assert tried == [65530, 65531, 65532, 65533, 65534, 65535]


class Selfish(socket.socket):
    """A socket that is given the very port that it asks for, as happens now and then among those for everybody."""

    def connect_ex(self, address: tuple[str, int]) -> int:  # type: ignore[override]  # of what a socket takes, this one
        self.bind(address)
        return super().connect_ex(address)


def test_a_probe_that_meets_itself_has_found_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = ports.free_ports(1)
    monkeypatch.setattr(ports.socket, "socket", Selfish)  # type: ignore[attr-defined]  # what the module uses
    assert not ports.accepts(port)


def test_what_speaks_no_http_does_not_answer() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as echo:
        thread = threading.Thread(target=repeat_once, args=(echo,))
        thread.start()
        assert not application.answers(f"http://{ports.LOOPBACK}:{echo.getsockname()[1]}/readyz")
        thread.join()


def repeat_once(echo: socket.socket) -> None:
    """Say what is said, as a socket that has met itself does."""
    with echo.accept()[0] as heard:
        heard.sendall(heard.recv(4096))
