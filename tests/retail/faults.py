"""A server of shops whose network misbehaves: what it does to a write is drawn once for each key, from a seed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.retail.shop import WRITES

SEED = 74
KINDS = ("doubled", "delayed", "reordered", "broken_after_commit")
# Longer than a tool may take: the client has gone and asks again, while the answer is still on its way.
TIMEOUT_S, DELAY_S = 2.0, 2.5
# A retry that never comes must not keep a held request for ever.
LONGEST_HOLD_S = 20.0


@dataclass
class Exchange:
    """A request that can be delivered again, and its last answer, kept back."""

    scope: Scope
    body: bytes
    answer: list[Message] = field(default_factory=list)

    async def deliver(self, app: ASGIApp) -> None:
        """Have the shop carry the request out, and keep its answer back."""
        self.answer = []

        async def receive() -> Message:
            return {"type": "http.request", "body": self.body}

        async def keep(message: Message) -> None:
            self.answer.append(message)

        await app(dict(self.scope), receive, keep)

    @property
    def was_replayed(self) -> bool:
        """Whether the shop had carried the request out before."""
        return b"idempotent-replay" in dict(self.answer[0]["headers"])

    @property
    def succeeded(self) -> bool:
        return bool(self.answer[0]["status"] == 200)


class LosesReplies:
    """Carries every write out, and answers none of them, however often it is asked."""

    def __init__(self, shops: ASGIApp) -> None:
        self._shops = shops
        self.counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_write(scope):
            await self._shops(scope, receive, send)
            return
        exchange = Exchange(scope, await _read_body(receive))
        await exchange.deliver(self._shops)
        self.counts["effect made" if exchange.succeeded else "refused"] += 1
        await hang_up(send)


class Misbehaves:
    """Does to the first request under each key of a write what was drawn for it, and counts what has come of it."""

    def __init__(self, shops: ASGIApp) -> None:
        self._shops = shops
        self.counts: Counter[str] = Counter()
        self._keys: defaultdict[str, dict[str, asyncio.Event]] = defaultdict(dict)
        self._held: set[asyncio.Task[None]] = set()  # the loop itself keeps no hold of its tasks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_write(scope):
            await self._shops(scope, receive, send)
            return
        exchange = Exchange(scope, await _read_body(receive))
        shop, key = scope["path"].split("/")[2], dict(scope["headers"])[b"idempotency-key"].decode()
        keys = self._keys[shop]
        if key in keys:
            await exchange.deliver(self._shops)
            keys[key].set()
            await pass_on(exchange, send)
            return
        overtaken = keys[key] = asyncio.Event()
        # By shop and place: a shop's writes come one after another, so that the same seed draws the same faults.
        kind = random.Random(f"{SEED}:{shop}:{len(keys)}").choice(KINDS)
        await getattr(self, f"_{kind}")(exchange, send, overtaken)

    async def _doubled(self, exchange: Exchange, send: Send, overtaken: asyncio.Event) -> None:
        """Deliver the request twice at once, as a proxy may that tries again."""
        again = Exchange(exchange.scope, exchange.body)
        await asyncio.gather(exchange.deliver(self._shops), again.deliver(self._shops))
        self.counts["doubled"] += exchange.was_replayed or again.was_replayed
        await pass_on(again, send)

    async def _delayed(self, exchange: Exchange, send: Send, overtaken: asyncio.Event) -> None:
        """Carry the request out at once, and answer when nobody waits any more."""
        await exchange.deliver(self._shops)
        self.counts["delayed"] += exchange.succeeded
        await asyncio.sleep(DELAY_S)
        await pass_on(exchange, send)

    async def _reordered(self, exchange: Exchange, send: Send, overtaken: asyncio.Event) -> None:
        """Hold the request until the one that repeats it has passed, and carry it out after that."""
        held = asyncio.create_task(self._deliver_late(exchange, overtaken))
        self._held.add(held)
        await hang_up(send)

    async def _deliver_late(self, exchange: Exchange, overtaken: asyncio.Event) -> None:
        async with asyncio.timeout(LONGEST_HOLD_S):
            await overtaken.wait()
        await exchange.deliver(self._shops)
        self.counts["reordered"] += exchange.was_replayed

    async def _broken_after_commit(self, exchange: Exchange, send: Send, overtaken: asyncio.Event) -> None:
        """Carry the request out, and break before the answer."""
        await exchange.deliver(self._shops)
        self.counts["broken_after_commit"] += exchange.succeeded
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _is_write(scope: Scope) -> bool:
    parts = scope.get("path", "").split("/")
    return len(parts) == 5 and parts[3] == "tools" and parts[4] in WRITES


async def _read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def pass_on(exchange: Exchange, send: Send) -> None:
    """Send the answer that was kept back."""
    for message in exchange.answer:
        await send(message)


async def hang_up(send: Send) -> None:
    """Promise a body and send only its beginning: the server closes a connection whose body ends early."""
    headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"result": ', "more_body": True})
