"""The gateway at an address, and the tokens with which the company's agent comes to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from pytest_django import Settings

from identities.oauth.signing_keys import keeper
from tests.api.live import serve_api
from tests.oauth.clients import USER_ID, give_secret, user_id
from tests.runs.company import Company
from tests.runs.gateway.worker import working


class Gateway:
    """Where agents outside call, and how ours gets in."""

    def __init__(self, url: str, company: Company) -> None:
        cast = company.cast
        self.url = f"{url}/mcp"
        self.application = give_secret(cast.alice, cast.application.service_account)
        self.agent = give_secret(cast.alice, cast.agent.service_account)

    def token(self, subject: str = "customer-1", **form: str) -> str:
        """Return what the agent gets for a user whom the application names."""
        passed_on = self.application.exchanged(user_id(subject), self.agent.client_id, USER_ID)
        return self.agent.exchanged(passed_on, self.url, **form)

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.token()}"}

    def ask(
        self, talk: Callable[[Client], Awaitable[Any]], **options: Any
    ) -> Any:  # Any: whatever the talk returns
        """Connect as the official client does, and talk."""
        headers = self.headers(options.pop("token", None))

        async def connect() -> Any:  # Any: as above
            async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
                transport = streamable_http_client(self.url, http_client=http)
                async with Client(transport, **options) as client:
                    return await talk(client)

        return asyncio.run(connect())

    def post(
        self, body: Any, token: str | None = None, **headers: str
    ) -> httpx2.Response:  # Any: JSON, or bytes
        given = {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **headers,
        }
        if token:
            given["Authorization"] = f"Bearer {token}"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx2.post(self.url, content=content, headers=given, timeout=60)


@contextmanager
def serving(company: Company, settings: Settings) -> Iterator[Gateway]:
    """Provide the gateway behind a real server, and a worker."""
    keeper.forget()
    settings.GATEWAY_WAIT_S = 20.0
    with serve_api() as url:
        settings.PUBLIC_URL = url
        with working():
            yield Gateway(url, company)
    keeper.forget()
