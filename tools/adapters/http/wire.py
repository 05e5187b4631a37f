"""Sends one HTTP request and reads its answer, within one deadline and one limit of bytes.

httpcore2 is the engine of httpx2. It is used directly for its network backend, through which every connect,
read and write is bounded by what is left of one total time (httpx2's own timeouts start afresh with each
read: a server that drips a byte a second would hold a call for ever). The backend also knows whether any
byte of the request has left, which is the line between "surely no effect" and "may have had one".
"""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Literal

import httpcore2

from agentops.clock import lease_clock_s
from agentops.outgoing import AddressRefused, resolve
from tools.adapters.http.request import Request
from tools.recall import Recall

MOST_CONNECTIONS = 512
MOST_IDLE_CONNECTIONS = 64
# Servers close idle connections after 5 s and more (uvicorn: 5). Ours go first: a request on a connection
# that is just being closed is lost without a trace, and a lost effect has to be called unknown.
IDLE_S = 2.0
WRITE_CHUNK = 16 * 1024
ERROR_BODY_LIMIT = 64 * 1024

Fault = Literal[
    "",
    "saturated",
    "too_late",
    "unreachable",
    "address_refused",
    "timeout",
    "connection_lost",
    "called_back",
    "too_large",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was seen of one request. `status` 0: no answer began. `fault`: why the answer is not whole.

    `sent` is False only if not one byte of the request can have reached the server.
    """

    sent: bool
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: Fault = ""


class Wire:
    """Two pools of connections, shared by the threads of one process: what may lead inside is used by no other tool."""

    def __init__(self) -> None:
        self._connect()

    def send(
        self, request: Request, *, timeout_s: float, not_after: float = math.inf, recall: Recall | None = None
    ) -> Exchange:
        """Make one exchange, without redirects. Raises nothing that the network can cause."""
        if self._pid != os.getpid():  # forked: the connections are the parent's
            self._connect()
        progress = _Progress(lease_clock_s() + timeout_s, not_after, recall or Recall())
        _current.progress = progress
        url = httpcore2.URL(
            scheme=request.scheme, host=request.host, port=request.port, target=request.target
        )
        answer = Exchange(sent=True)
        try:
            with self._pools[request.allow_private].stream(
                request.method,
                url,
                headers=request.headers,
                content=request.body,
                # Not all of the time: what is left has to do for the exchange.
                extensions={"timeout": {"pool": timeout_s / 2}},
            ) as response:
                answer = Exchange(True, response.status, _plain_headers(response.headers))
                return _read_body(response, answer, request.limit_bytes)
        except AddressRefused:
            return Exchange(sent=False, fault="address_refused")
        except httpcore2.PoolTimeout:
            return Exchange(sent=False, fault="saturated")
        except httpcore2.TimeoutException:
            fault: Fault = "timeout"
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            fault = "connection_lost"
        if progress.recall.code:
            return Exchange(progress.sent, answer.status, answer.headers, fault="called_back")
        if not progress.sent:
            return Exchange(sent=False, fault="too_late" if progress.is_late else "unreachable")
        return Exchange(True, answer.status, answer.headers, fault=fault)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _connect(self) -> None:
        self._pools = {allow_private: _make_pool(allow_private) for allow_private in (False, True)}
        self._pid = os.getpid()  # last: whoever sees it sees the new pools


def _make_pool(allow_private: bool) -> httpcore2.ConnectionPool:
    return httpcore2.ConnectionPool(
        ssl_context=httpcore2.default_ssl_context(),
        max_connections=MOST_CONNECTIONS,
        max_keepalive_connections=MOST_IDLE_CONNECTIONS,
        keepalive_expiry=IDLE_S,
        network_backend=_Backend(allow_private),
    )


def _read_body(response: httpcore2.Response, answer: Exchange, limit_bytes: int) -> Exchange:
    """Return the answer with its body, at most `limit_bytes` of it; leaving early closes the connection."""
    # A refusal is a refusal, however much prose comes with it: its start will do.
    limit = limit_bytes if 200 <= answer.status < 300 else min(limit_bytes, ERROR_BODY_LIMIT)
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > limit:
            return Exchange(True, answer.status, answer.headers, bytes(body[:limit]), "too_large")
    return Exchange(True, answer.status, answer.headers, bytes(body))


def _plain_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


class _Progress:
    """The exchange that the present thread is making: how long it has, and whether it has sent anything.

    By the leases' clock throughout: what a suspended machine was sending may be taken for lost by now.
    """

    def __init__(self, deadline: float, not_after: float, recall: Recall) -> None:
        self.deadline = deadline
        self.not_after = not_after
        self.recall = recall
        self.sent = False

    @property
    def is_late(self) -> bool:
        """Whether the time has passed after which nothing may be started any more."""
        return not self.sent and lease_clock_s() >= self.not_after

    def left(self) -> float:
        return self.deadline - lease_clock_s()


class _Current(threading.local):
    progress = _Progress(0.0, math.inf, Recall())


_current = _Current()


class _Stream(httpcore2.NetworkStream):
    """A connection, of which each read and write gets what is left of the exchange's time.

    An exchange takes it over with its first write; from then on it may be cut off in the exchange's name, and in no
    other's: connections are kept, and the next exchange may be somebody else's.
    """

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._progress: _Progress | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _current.progress.left()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return self._stream.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._take_over(_current.progress)
        for start in range(0, len(buffer), WRITE_CHUNK):
            left = _current.progress.left()
            if left <= 0 or _current.progress.is_late or _current.progress.recall.code:
                raise httpcore2.WriteTimeout
            _current.progress.sent = True  # before: a write that fails may have carried something
            self._stream.write(buffer[start : start + WRITE_CHUNK], left)

    def _take_over(self, progress: _Progress) -> None:
        if self._progress is progress:
            return
        with self._lock:
            if self._is_cut:  # the call before was called back in the moment in which it had its answer
                raise httpcore2.WriteError
            self._progress = progress
        progress.recall.heed(lambda: self._cut(progress))

    def _cut(self, progress: _Progress) -> None:
        """End the exchange from another thread: its own, which waits for the server, awakes at the end of input."""
        with self._lock:
            if self._progress is not progress:
                return
            self._is_cut = True
        with suppress(OSError):  # closed already
            # Not the TLS socket's own method, which takes its state from under the thread that reads.
            socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = _current.progress.left()
        if left <= 0:
            raise httpcore2.ConnectTimeout
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:  # Any: the library's protocol
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # Any: as socket.setsockopt takes them
    ) -> httpcore2.NetworkStream:
        """Connect to the first address that answers; each gets an equal share of the time left."""
        addresses = _resolve(host, port, self._allow_private)
        error: Exception = httpcore2.ConnectError(f"no address for {host}")
        for index, address in enumerate(addresses):
            left = _current.progress.left() / (len(addresses) - index)
            if left <= 0:
                raise httpcore2.ConnectTimeout
            try:
                return _Stream(self._backend.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failure:
                error = failure
        raise error


def _resolve(host: str, port: int, allow_private: bool) -> list[str]:
    try:
        return resolve(host, port, allow_private=allow_private, within_s=_current.progress.left())
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore2.ConnectError(str(error)) from error
