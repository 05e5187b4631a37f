"""An interface on a socket that serves its own document, and says of everything else what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.tools.openapi.documents import SHOP


class Interface:
    """``document`` is what it serves at /openapi.yaml, with ``status``; ``seen`` are the requests to anything else."""

    def __init__(self) -> None:
        self.url = ""
        self.document = SHOP
        self.status = 200
        self.seen: list[dict[str, Any]] = []  # Any: texts, and the headers

    @property
    def document_url(self) -> str:
        """Where its document is."""
        return f"{self.url}/openapi.yaml"

    def answer(self, method: str, target: str, headers: dict[str, str], body: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        if target == "/openapi.yaml":
            return self.status, self.document.encode()
        self.seen.append({"method": method, "target": target, "headers": headers, "body": body})
        order: dict[str, Any] = {"id": "A-1", "note": None, "total": None, "parts": []}
        return (202, b"") if method == "PATCH" else (200, json.dumps(order).encode())


@contextmanager
def serve_interface() -> Iterator[Interface]:
    """Serve one on a port of its own, until the end."""
    interface = Interface()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, answer = interface.answer(self.command, self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PATCH = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    interface.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield interface
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
