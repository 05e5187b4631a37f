"""A client of the API as tests want it: a credential, JSON in, JSON out."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from identities.models import User
from identities.services import issue_api_key
from tests.cast import Cast

ROOT = "/api/v1"


class Answer:
    """What came back; `body` is its JSON."""

    def __init__(self, response: Any) -> None:  # Any: the test client's response
        self.status: int = response.status_code
        self.headers: Any = response.headers
        self.content: bytes = response.content
        self.body: Any = json.loads(self.content) if self.content else None

    @property
    def code(self) -> str:
        """The problem's code; fails when this is no problem document."""
        assert self.headers["Content-Type"] == "application/problem+json", self.content
        assert self.body["status"] == self.status
        return str(self.body["code"])


class Caller:
    """Sends requests with one credential, or with none."""

    def __init__(self, bearer: str = "", client: Client | None = None) -> None:
        self.bearer = bearer
        self.client = client or Client(raise_request_exception=False)

    def send(
        self,
        method: str,
        path: str,
        data: bytes = b"",
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        credential = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        target = path if path.startswith("/api") else ROOT + path
        sent = self.client.generic(
            method, target, data, content_type, headers={**credential, **(headers or {})}
        )
        return Answer(sent)

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers=_named(headers))

    def post(self, path: str, body: object = None, *, key: str = "", **headers: str) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        idempotency = {"Idempotency-Key": key} if key else {}
        return self.send("POST", path, data, headers={**_named(headers), **idempotency})


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def caller_of(cast: Cast, user: User) -> Caller:
    """Return a caller with a new key of a person or of the cast's application."""
    return Caller(bearer_of(cast, user))


def bearer_of(cast: Cast, user: User) -> str:
    """Issue a key and return its text."""
    actor = user if user.kind == User.Kind.PERSON else cast.alice
    _, bearer = issue_api_key(actor=actor, user=user, label="test")
    return bearer
