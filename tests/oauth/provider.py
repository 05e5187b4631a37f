"""An identity provider of others, on this machine: it publishes keys, and counts how often it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.oauth.clients import key_pair, sign

AUDIENCE = "shop-web"


@dataclass
class Provider:
    """What the provider serves by path: a status and a body."""

    address: str = ""
    pages: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Publish the first key, and forget who asked."""
        self.asked.clear()
        self.publish(key_pair("provider"))

    def publish(self, *keys: Any) -> None:  # Any: as key_pair returns them
        """Publish these keys, and where they are."""
        jwks = {"keys": [key.as_dict(private=False) for key in keys]}
        where = {"issuer": self.address, "jwks_uri": f"{self.address}/jwks"}
        self.pages = {
            "/jwks": (200, json.dumps(jwks).encode()),
            "/.well-known/openid-configuration": (200, json.dumps(where).encode()),
        }

    def id_token(self, key: Any = None, **changes: Any) -> str:  # Any: claims, well-formed or not
        """Return a user's token; a claim changed to None is left out."""
        now = int(time.time())
        said = {"iss": self.address, "sub": "customer-17", "aud": AUDIENCE, "iat": now, "exp": now + 600}
        header, alg = changes.pop("header", None), changes.pop("alg", "ES256")
        claims = {name: value for name, value in {**said, **changes}.items() if value is not None}
        return sign(claims, key or key_pair("provider"), header, alg=alg)


@contextmanager
def serve_provider() -> Iterator[Provider]:
    """Serve a provider on a free port of this machine."""
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.asked.append(self.path)
            status, body = provider.pages.get(self.path, (404, b""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if status == 302:
                self.send_header("Location", f"{provider.address}/jwks")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        provider.publish(key_pair("provider"))
        yield provider
        server.shutdown()
