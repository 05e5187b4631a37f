"""The HTTP transport of the planner client: whole exchanges, bounded in time and in size.

httpx alone bounds each read, so a server that sends a byte now and then holds a run for ever, and it reads
bodies of any size. Imported lazily: it needs httpx2.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from runs.planner.faults import ExchangeFault

MAX_ANSWER_BYTES = 4 * 1024 * 1024

# A pool looks at all of its connections twice per request, under one lock (pydantic/httpx2#1169): with
# 1,000 requests on their way that is 2.5 ms of CPU each. So the connections are spread over small pools,
# filled one after the other up to 16 requests: 2,048 before any pool takes more.
_POOLS = 128
_FILL = 16

# Many servers (uvicorn, Node.js) drop an idle connection after 5 s. To let go first avoids sending a
# request into a closing one, which cannot be told from a lost answer.
_KEEPALIVE_S = 4.0

# Recomputing the time left per slice keeps a slow reader on the other side within the deadline.
_WRITE_SLICE = 64 * 1024


class ExchangeFailed(httpx2.TransportError):
    """An exchange without a usable response; `sent`: a byte of the request may have reached the server."""

    def __init__(self, fault: ExchangeFault, *, sent: bool) -> None:
        super().__init__(fault)
        self.fault = fault
        self.sent = sent


class BoundedTransport(httpx2.BaseTransport):
    """Send a request and receive its whole response within the request's read timeout and 4 MiB.

    The read timeout (seconds) is taken as the deadline of the whole exchange. Compressed responses are
    refused, as their size is known too late. Thread-safe. Raises ExchangeFailed.
    """

    def __init__(self, proxy_url: str | None = None) -> None:
        tls = httpx2.create_ssl_context()
        self._pools = [
            httpcore2.ConnectionPool(
                ssl_context=tls,
                proxy=httpcore2.Proxy(proxy_url) if proxy_url else None,
                max_connections=4 * _FILL,
                max_keepalive_connections=_FILL,
                keepalive_expiry=_KEEPALIVE_S,
                network_backend=_DeadlineBackend(),
            )
            for _ in range(_POOLS)
        ]
        self._busy = [0] * _POOLS
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry out one exchange."""
        exchange = _Exchange(time.monotonic() + request.extensions["timeout"]["read"])
        token = _current.set(exchange)
        try:
            with self._borrow_pool() as pool:
                return _exchange(pool, request)
        except httpcore2.TimeoutException:
            raise ExchangeFailed("timed_out", sent=exchange.sent) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.ProxyError, OSError):
            fault: ExchangeFault = "lost" if exchange.sent else "unreachable"
            raise ExchangeFailed(fault, sent=exchange.sent) from None
        finally:
            _current.reset(token)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools:
            pool.close()

    @contextmanager
    def _borrow_pool(self) -> Iterator[httpcore2.ConnectionPool]:
        with self._lock:
            # The first with room, so that few runs share few connections and reuse them.
            index = next((n for n, busy in enumerate(self._busy) if busy < _FILL), None)
            if index is None:
                index = min(range(_POOLS), key=self._busy.__getitem__)
            self._busy[index] += 1
        try:
            yield self._pools[index]
        finally:
            with self._lock:
                self._busy[index] -= 1


def _exchange(pool: httpcore2.ConnectionPool, request: httpx2.Request) -> httpx2.Response:
    response = pool.handle_request(
        httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.read(),
            extensions=request.extensions,
        )
    )
    try:
        headers = httpx2.Headers(response.headers)
        if headers.get("content-encoding", "identity") != "identity":
            raise ExchangeFailed("encoded", sent=True)
        body = _read_body(response.iter_stream())
    finally:
        response.close()
    return httpx2.Response(response.status, headers=headers, content=body)


def _read_body(chunks: Iterable[bytes]) -> bytes:
    received, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise ExchangeFailed("too_large", sent=True)
        received.append(chunk)
    return b"".join(received)


@dataclass(slots=True)
class _Exchange:
    deadline: float  # on time.monotonic()'s clock
    sent: bool = False

    def left_s(self, limit_s: float | None) -> float:
        """Return how long the next operation may take; raises httpcore2.ReadTimeout at the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout
        return left if limit_s is None else min(left, limit_s)


# A connection outlives its exchange; whoever uses it looks up here whose time and bytes they are. A
# synchronous exchange stays in one thread, and a thread has its own context.
_current: ContextVar[_Exchange] = ContextVar("planner_exchange")


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _current.get().left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        exchange = _current.get()
        exchange.sent = True
        for start in range(0, len(buffer), _WRITE_SLICE):
            self._stream.write(buffer[start : start + _WRITE_SLICE], exchange.left_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left_s = _current.get().left_s(timeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:  # as the base class has it
        return self._stream.get_extra_info(info)


class _DeadlineBackend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        left_s = _current.get().left_s(timeout)
        return _DeadlineStream(super().connect_tcp(host, port, left_s, local_address, socket_options))
