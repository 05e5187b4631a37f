"""Ports on the loopback interface."""

from __future__ import annotations

import socket

LOOPBACK = "127.0.0.1"
TRIED = 20


def is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, for ports in TIME_WAIT
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port(wanted: int) -> int:
    """Return the wanted port or the next free one; raise OSError if twenty in a row are busy."""
    for port in range(wanted, min(wanted + TRIED, 65536)):
        if is_free(port):
            return port
    raise OSError(f"ports {wanted} to {wanted + TRIED - 1} are all busy: choose another with --port")


def free_ports(count: int) -> list[int]:
    """Return different ports that the system considers free."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def accepts(port: int) -> bool:
    """Whether somebody listens on the port; a probe that was given that very port has only met itself."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0 and probe.getsockname() != probe.getpeername()
