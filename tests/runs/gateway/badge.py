"""A door-keeper for clients that present no token: it passes their requests on with one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import httpx2

OWN = frozenset(("connection", "content-length", "transfer-encoding", "authorization", "accept-encoding"))


@contextmanager
def badged(url: str, headers: dict[str, str]) -> Iterator[str]:
    """Serve the address with these header fields added; yield where. A Host of this door becomes the other's."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent = ((name.lower(), value) for name, value in self.headers.items())
            given = {name: value.strip() for name, value in sent if name not in OWN}
            if given["host"] == f"127.0.0.1:{server.server_port}":
                given["host"] = urlsplit(url).netloc
            answer = httpx2.request(self.command, url, content=body, headers={**given, **headers}, timeout=60)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in OWN | {"content-encoding"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
