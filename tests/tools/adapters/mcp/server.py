"""A server of tools made with the official SDK, over HTTP in a thread of the tests; it can be told to be rude."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

Message = MutableMapping[str, Any]  # Any: ASGI
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Judge = Callable[[dict[str, str], dict[str, Any]], str]


@dataclass
class ToolsServer:
    """Its address, what it was asked, what it has done, and how it behaves when the call has been carried out."""

    url: str = ""
    refunds: list[str] = field(default_factory=list)
    metas: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    mishap: str = ""
    mishap_at: str = "tools/call"
    legacy: bool = False
    rewritten: str = ""
    description: str = "Refunds an order."
    judge: Judge | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def methods(self) -> list[str]:
        """Return what was asked, in order."""
        return [method for method, _ in self.requests]

    def headers_of(self, method: str) -> dict[str, str]:
        """Return the headers of the last request of a kind."""
        return next(headers for asked, headers in reversed(self.requests) if asked == method)


def make_server(state: ToolsServer) -> MCPServer:
    """Make a server with a few tools."""
    server = MCPServer("shop")

    @server.tool(description=state.description, annotations=ToolAnnotations(destructive_hint=True))
    def refund(order: str, context: Context) -> dict[str, str]:
        state.refunds.append(order)
        state.metas.append(dict(context.request_context.meta or {}))
        return {"refunded": order}

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def look_up(order: str) -> str:
        """Looks an order up."""
        return f"order {order}"

    @server.tool()
    def note(order: str) -> dict[str, str]:
        """Writes an order down."""
        state.refunds.append(order)
        return {"noted": order}

    @server.tool()
    def refuse(order: str) -> str:
        """Refuses every order."""
        raise ToolError(f"no order {order}")

    return server


@contextmanager
def serve_tools(state: ToolsServer) -> Iterator[ToolsServer]:
    """Serve over streamable HTTP on a free port of this machine."""
    app = make_server(state).streamable_http_app(json_response=not state.legacy)
    with serve_app(Rude(state, app)) as state.url:
        try:
            yield state
        finally:
            state.released.set()


@contextmanager
def serve_app(app: Any) -> Iterator[str]:  # Any: ASGI, as several libraries type it
    """Serve an application in a thread, on a free port of this machine; yield the address of its tools."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="on", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


class Rude:
    """Passes requests on to the server, and spoils what it answers."""

    def __init__(self, state: ToolsServer, app: Any) -> None:  # Any: Starlette's types are narrower
        self.state, self.app = state, app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        asked = json.loads(body) if body else {}
        method = str(asked.get("method", scope["method"]))
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.state.requests.append((method, headers))
        refusal = self.state.judge(headers, asked) if self.state.judge else ""
        if refusal:
            await _answer(send, 401, refusal.encode(), "text/plain")
        elif self.state.legacy and method == "server/discover":
            await _answer(send, 400, b"no such method", "text/plain")
        elif method == "tools/list" and self.state.rewritten:
            await self.app(scope, _replay(body), _rewrite(send, self.state.rewritten))
        elif method == self.state.mishap_at and self.state.mishap:
            await self._spoil(scope, body, send)
        else:
            await self.app(scope, _replay(body), send)

    async def _spoil(self, scope: Message, body: bytes, send: Send) -> None:
        if self.state.mishap == "refused":
            await _answer(send, 429, b"{}", "application/json")
            return
        await self.app(scope, _replay(body), _forget)  # it is done; only the answer is odd
        match self.state.mishap:
            case "500":
                await _answer(send, 500, b"oops", "text/plain")
            case "html":
                await _answer(send, 200, b"<p>Hello</p>", "text/html")
            case "not_json":
                await _answer(send, 200, b"{", "application/json")
            case "quotes":
                quoted = dict(scope["headers"])[b"authorization"]
                await _answer(send, 200, b'{"jsonrpc": ' + quoted, "application/json")
            case "another":
                await _answer(send, 200, b'{"jsonrpc": "2.0", "id": 1, "result": 7}', "application/json")
            case "huge":
                await _answer(send, 200, b'"' + b"x" * 2_000_000 + b'"', "application/json")
            case "internal":
                error = {"code": -32603, "message": "it broke"}
                told = {"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error}
                await _answer(send, 200, json.dumps(told).encode(), "application/json")
            case "empty_stream":
                await _answer(send, 200, b": nothing\n\n", "text/event-stream")
            case "lost":
                await send(
                    {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"99")]}
                )
                raise ConnectionError
            case "hang":
                await asyncio.to_thread(self.state.released.wait, 30)


async def _read(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _replay(body: bytes) -> Receive:
    """Give a body once; afterwards the client never hangs up."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    return receive


def _rewrite(send: Send, words: str) -> Send:
    """Have the server describe how it writes orders down in other words."""

    async def rewritten(message: Message) -> None:
        body = message.get("body", b"").replace(b"Writes an order down.", words.encode())
        headers = [pair for pair in message.get("headers", ()) if pair[0] != b"content-length"]
        await send({**message, **({"headers": headers} if "headers" in message else {"body": body})})

    return rewritten


async def _forget(message: Message) -> None:
    return None


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
