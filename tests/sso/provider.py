"""The company's identity provider: discovery, keys, authorization with PKCE, tokens; over real connections."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.oauth.clients import key_pair, sign

CLIENT_ID, CLIENT_SECRET = "agents console", "a secret/of the client's"
# RFC 6749, 2.3.1: each half is encoded as in a form, and then both are.
PROOF = f"Basic {base64.b64encode(b'agents+console:a+secret%2Fof+the+client%27s').decode()}"
CALLBACK = "http://127.0.0.1:8000/sso/callback"
SECRET_WORDS = "what the provider keeps to itself"  # in each of its errors

Form = dict[str, str]
Answer = tuple[int, Any]  # Any: JSON, or what is none


@dataclass
class Authorization:
    """What a code stands for, until it is redeemed."""

    asked: Form
    claims: dict[str, Any]


@dataclass
class IdentityProvider:
    """What it says of the one person who is there, and how it goes wrong: a claim changed to None is left out."""

    address: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = None  # Any: as key_pair returns it
    alg: str = "ES256"
    header: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    jwks: Answer = (200, {})
    instead: Answer | None = None  # of the token endpoint's answer
    id_token: Any = None  # in place of a signed one
    takes_form: bool = False
    codes: dict[str, Authorization] = field(default_factory=dict)

    def reset(self) -> None:
        """Be a provider as it should be, at which Paula is an operator."""
        self.claims = {"sub": "paula-1", "preferred_username": "paula@example.com", "groups": ["operators"]}
        self.key, self.alg, self.header = key_pair("provider"), "ES256", {}
        self.instead, self.id_token, self.takes_form = None, None, False
        self.jwks = (200, {"keys": [self.key.as_dict(private=False)]})
        self.metadata = {
            "issuer": self.address,
            **{f"{name}_endpoint": f"{self.address}/{name}" for name in ("authorization", "token")},
            "jwks_uri": f"{self.address}/jwks",
        }

    def answer(self, path: str, query: Form) -> Answer:
        """Answer a GET: documents, and the person's consent."""
        match path:
            case "/.well-known/openid-configuration":
                return 200, self.metadata
            case "/jwks":
                return self.jwks
            case "/authorization":
                return self.authorize(query)
        return 404, SECRET_WORDS

    def authorize(self, asked: Form) -> Answer:
        """Send the person back with a code, if the client asks as it should."""
        fits = (
            asked.get("client_id") == CLIENT_ID
            and asked.get("redirect_uri") == CALLBACK
            and asked.get("response_type") == "code"
            and "openid" in asked.get("scope", "").split()
            and asked.get("code_challenge_method") == "S256"
            and min(len(asked.get(name, "")) for name in ("state", "nonce", "code_challenge")) >= 32
        )
        if not fits:
            return 400, SECRET_WORDS
        code = secrets.token_urlsafe(16)
        self.codes[code] = Authorization(asked, {**self.claims})
        return 302, f"{CALLBACK}?{urlencode({'code': code, 'state': asked['state']})}"

    def redeem(self, form: Form, authorization: str) -> Answer:
        """Give an ID token for a code: once, to whom it was for, who knows the secret half of PKCE."""
        if self.instead is not None:
            return self.instead
        by_form = (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        known = by_form if self.takes_form else authorization == PROOF
        found = self.codes.pop(form.get("code", ""), None)
        if not known or found is None or form.get("grant_type") != "authorization_code":
            return 400, {"error": "invalid_grant", "error_description": SECRET_WORDS}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != found.asked["code_challenge"] or form.get("redirect_uri") != CALLBACK:
            return 400, {"error": "invalid_grant", "error_description": SECRET_WORDS}
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": self.sign(found)}

    def sign(self, found: Authorization) -> Any:  # Any: a token, or what a test wants in its place
        """Return the ID token."""
        if self.id_token is not None:
            return self.id_token(found.asked) if callable(self.id_token) else self.id_token
        return sign(self.said(found.asked, found.claims), self.key, self.header, alg=self.alg)

    def said(self, asked: Form, claims: dict[str, Any]) -> dict[str, Any]:
        """Return the claims."""
        now = int(time.time())
        plain = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        return {name: value for name, value in {**plain, **claims}.items() if value is not None}


@contextmanager
def serve_provider() -> Iterator[IdentityProvider]:
    """Serve a provider on a free port of this machine."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            self._send(*provider.answer(parts.path, _plain(parts.query)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*provider.redeem(_plain(body), self.headers.get("Authorization", "")))

        def _send(self, status: int, content: Any) -> None:
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            if status == 302:
                self.send_header("Location", str(content))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield provider
        server.shutdown()


def _plain(text: str) -> Form:
    return {name: values[-1] for name, values in parse_qs(text).items()}
