"""A local HTTP server that misbehaves as told: the first segment of a request's path names what it does."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

JSON = "application/json"
HTML = "text/html; charset=utf-8"


@dataclass
class Seen:
    """One request that has arrived whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    client_port: int


@dataclass
class RudeServer:
    """Its address, what it has seen, and the event that ends its slow answers."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    hung_up: threading.Event = field(default_factory=threading.Event)


Behaviour = Callable[["_Connection", Seen], bool]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    state: RudeServer


class _Connection(socketserver.StreamRequestHandler):
    wbufsize = 0

    @property
    def state(self) -> RudeServer:
        return cast(_Server, self.server).state

    def handle(self) -> None:
        self.state.connections += 1
        with contextlib.suppress(OSError):  # clients hang up in these tests
            while (seen := self.read_request()) and self.answer(seen):
                pass

    def read_request(self) -> Seen | None:
        line = self.rfile.readline().decode("latin-1").split()
        if not line:
            return None
        headers: dict[str, str] = {}
        while (text := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = text.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", 0)))
        return Seen(line[0], line[1], headers, body, self.client_address[1])

    def answer(self, seen: Seen) -> bool:
        """Answer one request; return whether the connection stays open."""
        self.state.seen.append(seen)
        return BEHAVIOURS[seen.target.strip("/").partition("/")[0].partition("?")[0]](self, seen)

    def send(self, status: int, body: bytes, kind: str = JSON, **headers: str) -> bool:
        fields = {"Content-Type": kind, "Content-Length": str(len(body)), **headers}
        lines = [f"HTTP/1.1 {status} Whatever", *(f"{n.replace('_', '-')}: {v}" for n, v in fields.items())]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)
        return True

    def drip(self, pieces: list[bytes]) -> None:
        """Send a piece every 50 ms: each in time for a limit per read, all together far too late."""
        for piece in pieces:
            self.wfile.write(piece)
            if self.state.released.wait(0.05):
                return


def _echo(connection: _Connection, seen: Seen) -> bool:
    described = {
        "method": seen.method,
        "target": seen.target,
        "headers": seen.headers,
        "body": seen.body.decode(),
        "client_port": seen.client_port,
    }
    return connection.send(200, json.dumps(described).encode())


def _status(connection: _Connection, seen: Seen) -> bool:
    """/status/503?retry-after=7 answers so, with a problem as its body."""
    path, _, query = seen.target.partition("?")
    status = int(path.split("/")[2])
    body = b"" if status in (204, 304) else b'{"title": "No", "detail": "Not today", "secret": "x"}'
    headers = {"Retry_After": query.partition("=")[2]} if query else {}
    return connection.send(status, body, "application/problem+json", **headers)


def _busy_for_hours(connection: _Connection, seen: Seen) -> bool:
    until = datetime.now(UTC) + timedelta(hours=int(seen.target.split("/")[2]))
    return connection.send(503, b"{}", Retry_After=format_datetime(until, usegmt=True))


def _complain(connection: _Connection, seen: Seen) -> bool:
    """/complain/500 tells in its problem what the client signed in with, as careless servers do."""
    status, given = int(seen.target.split("/")[2]), seen.headers.get("authorization", "")
    problem = {"title": "No", "detail": f"bad header Authorization: {given} ({given.encode().hex()})"}
    return connection.send(status, json.dumps(problem).encode(), "application/problem+json", X_Seen=given)


def _token(connection: _Connection, seen: Seen) -> bool:
    """/token/60 issues a token for so many seconds; /token/0 says nothing of them."""
    life_s = int(seen.target.split("/")[2])
    answer: dict[str, Any] = {
        "access_token": f"issued-{len(connection.state.seen):08}",
        "token_type": "Bearer",
    }
    return connection.send(200, json.dumps(answer | ({"expires_in": life_s} if life_s else {})).encode())


def _slow(connection: _Connection, seen: Seen) -> bool:
    connection.state.released.wait(30)
    return connection.send(200, b"{}")


def _late(connection: _Connection, seen: Seen) -> bool:
    connection.state.released.wait(1.5)
    return connection.send(200, b"{}")


def _drip_head(connection: _Connection, seen: Seen) -> bool:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    connection.drip([head, *[b"X-Drip: 1\r\n"] * 60, b"\r\n{}"])
    return False


def _drip_body(connection: _Connection, seen: Seen) -> bool:
    connection.drip([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 60])
    connection.wfile.write(b"2\r\n{}\r\n0\r\n\r\n")
    return False


def _refuse_and_drip(connection: _Connection, seen: Seen) -> bool:
    connection.drip([b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 60])
    return False


def _big(connection: _Connection, seen: Seen) -> bool:
    return connection.send(200, b'"' + b"x" * 10_000_000 + b'"')


def _endless(connection: _Connection, seen: Seen) -> bool:
    connection.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    while not connection.state.released.is_set():
        connection.wfile.write(chunk)
    return False


def _truncated(connection: _Connection, seen: Seen) -> bool:
    connection.send(200, b'{"half":', Content_Length="100")
    return False


def _garbled(connection: _Connection, seen: Seen) -> bool:
    connection.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    return False


def _drop(connection: _Connection, seen: Seen) -> bool:
    return False


def _answer_and_hang_up(connection: _Connection, seen: Seen) -> bool:
    """Close an idle connection without having announced it, as servers do after their keep-alive time."""
    connection.send(200, b"{}")
    connection.connection.shutdown(socket.SHUT_RDWR)
    connection.state.hung_up.set()
    return False


def _redirect(connection: _Connection, seen: Seen) -> bool:
    return connection.send(int(seen.target.split("/")[2]), b"", Location="/echo/after-redirect")


def _gzip(connection: _Connection, seen: Seen) -> bool:
    return connection.send(200, gzip.compress(b"{}"), Content_Encoding="gzip")


def _body(body: bytes, kind: str = JSON, status: int = 200) -> Behaviour:
    return lambda connection, _seen: connection.send(status, body, kind)


BEHAVIOURS: dict[str, Behaviour] = {
    "echo": _echo,
    "status": _status,
    "complain": _complain,
    "token": _token,
    "busy-for-hours": _busy_for_hours,
    "slow": _slow,
    "late": _late,
    "drip-head": _drip_head,
    "drip-body": _drip_body,
    "refuse-and-drip": _refuse_and_drip,
    "big": _big,
    "endless": _endless,
    "truncated": _truncated,
    "garbled": _garbled,
    "drop": _drop,
    "answer-and-hang-up": _answer_and_hang_up,
    "redirect": _redirect,
    "gzip": _gzip,
    "ok": _body(b'{"fine": true}'),
    "text-plain": _body(b'{"fine": true}', "text/plain"),
    "html": _body(b"<html><body>Welcome</body></html>", HTML),
    "empty": _body(b""),
    "nan": _body(b'{"a": NaN}'),
    "infinity": _body(b'{"fine": true, "a": -Infinity}'),
    "garbage": _body(b"\x00\xff\xfe\x80\x01", "application/octet-stream"),
    "unpromised": _body(b'{"fine": "perhaps"}'),
    "twice": _body(b'{"fine": true, "fine": false}'),
    "nested": _body(b'{"fine": true, "a": ' + b"[" * 40 + b"]" * 40 + b"}"),
    "huge-number": _body(b'{"a": 1e999}'),
    "huge-integer": _body(b'{"a": 9007199254740993}'),
    "surrogate": _body(b'{"a": "\\ud800"}'),
    "nul": _body(b'{"a": "\\u0000"}'),
    "latin-1": _body(b'{"a": "\xe9"}'),
    "deep": _body(b"[" * 100_000),
    "digits": _body(b"9" * 100_000),
    "not-found-page": _body(b"<html>404</html>", HTML, 404),
    "long-problem": _body(json.dumps({"title": "T", "detail": "\n\x1b[2J" + "d" * 5000}).encode(), JSON, 400),
    "odd-problem": _body(b'{"title": {"a": 1}, "detail": 5}', JSON, 400),
    "hostile-problem": _body(b'{"title": "\\ud800\\u0000", "detail": "\\u202e<script>"}', JSON, 400),
    "deep-problem": _body(b"[" * 60_000, JSON, 500),
    "list-problem": _body(b"[1]", JSON, 400),
}


@contextmanager
def rude_server(tls: ssl.SSLContext | None = None) -> Iterator[RudeServer]:
    """Serve on a free loopback port until the block ends."""
    state = RudeServer()
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.state = state
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if tls else "http"
        state.url = f"{scheme}://127.0.0.1:{cast(Any, server.server_address)[1]}"  # Any: a family's address
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            state.released.set()
            server.shutdown()
            thread.join()
