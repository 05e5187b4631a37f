"""Both halves of the client behind one face: what the one awaits, the other does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2

from agentops.client import AsyncClient, Client


class Blocking:
    def __init__(
        self, address: str, key: Any, transport: httpx2.BaseTransport | None = None, **more: Any
    ) -> None:
        self.given, self.transport, self.more = (address, key), transport, more

    def open(self) -> Client:
        http = httpx2.Client(transport=self.transport) if self.transport else None
        return Client(*self.given, http=http, **self.more)

    def call(self, name: str, *path: str, **named: Any) -> Any:
        """Call a method and return its answer."""
        with self.open() as client:
            return getattr(client, name)(*path, **named)

    def listed(self, name: str, *path: Any, **named: Any) -> list[Any]:
        """Return all that a method yields."""
        with self.open() as client:
            first = getattr(client, path[0]) if name == "pages" else path[0]
            return list(getattr(client, name)(first, *path[1:], **named))


class Awaited:
    """Opens a client for each call, because a loop of asyncio ends with it."""

    def __init__(
        self, address: str, key: Any, transport: httpx2.AsyncBaseTransport | None = None, **more: Any
    ) -> None:
        self.given, self.transport, self.more = (address, key), transport, more

    def open(self) -> AsyncClient:
        http = httpx2.AsyncClient(transport=self.transport) if self.transport else None
        return AsyncClient(*self.given, http=http, **self.more)

    def call(self, name: str, *path: str, **named: Any) -> Any:
        """Call a method and return its answer."""

        async def ask() -> Any:
            async with self.open() as client:
                return await getattr(client, name)(*path, **named)

        return asyncio.run(ask())

    def listed(self, name: str, *path: Any, **named: Any) -> list[Any]:
        """Return all that a method yields."""

        async def ask() -> list[Any]:
            async with self.open() as client:
                first = getattr(client, path[0]) if name == "pages" else path[0]
                return [each async for each in getattr(client, name)(first, *path[1:], **named)]

        return asyncio.run(ask())


Half = Blocking | Awaited
HALVES: list[type[Half]] = [Blocking, Awaited]
