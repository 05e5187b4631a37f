"""Transports that break each stream off after its first events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import httpx2

CHUNKS = 2


class _Cut(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self.stream = stream

    def __iter__(self) -> Iterator[bytes]:
        for number, chunk in enumerate(self.stream):
            if number == CHUNKS:
                raise httpx2.ReadError("cut")
            yield chunk

    def close(self) -> None:
        self.stream.close()


class Cutting(httpx2.HTTPTransport):
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        answer.stream = _Cut(cast(httpx2.SyncByteStream, answer.stream))
        return answer


class _AsyncCut(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        number = 0
        async for chunk in self.stream:
            if number == CHUNKS:
                raise httpx2.ReadError("cut")
            number += 1
            yield chunk

    async def aclose(self) -> None:
        await self.stream.aclose()


class AsyncCutting(httpx2.AsyncHTTPTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await super().handle_async_request(request)
        answer.stream = _AsyncCut(cast(httpx2.AsyncByteStream, answer.stream))
        return answer
