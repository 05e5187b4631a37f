"""A server that we start ourselves, for one conversation: what it remembers is of nobody else's call.

It knows nothing of our environment, is in a room of its own (see `sandbox`) that goes with it, and has a process group
that is killed at the end, or with the worker. The SDK's own transport keeps a line of any length; this one does not.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from tempfile import TemporaryDirectory

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from tools.commands import Command
from tools.sandbox import environment, launch_line

GRACE_S = 0.5  # for a server to end by itself, once its input has

Inbox = MemoryObjectSendStream[SessionMessage | Exception]
Outbox = MemoryObjectReceiveStream[SessionMessage]


@asynccontextmanager
async def start_server(command: Command, limit_bytes: int) -> AsyncGenerator[TransportStreams]:
    """Start a server and give the streams to and from it."""
    with TemporaryDirectory(prefix="mcp-", ignore_cleanup_errors=True) as home:
        process = await anyio.open_process(
            launch_line(command, home),
            stderr=subprocess.DEVNULL,  # nobody reads it, and a pipe that nobody reads fills up
            cwd=home,
            env=environment(),
            start_new_session=True,
        )
        async with _streams_of(process, limit_bytes) as streams:
            yield streams


@asynccontextmanager
async def _streams_of(process: Process, limit_bytes: int) -> AsyncGenerator[TransportStreams]:
    inbox, from_it = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_it, outbox = anyio.create_memory_object_stream[SessionMessage](0)
    assert process.stdin is not None  # noqa: S101  pipes are what it was started with
    assert process.stdout is not None  # noqa: S101  as above
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read, process.stdout, inbox, limit_bytes)
            tasks.start_soon(_write, process.stdin, outbox, inbox)
            try:
                yield from_it, to_it
            finally:
                tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
        for stream in (inbox, from_it, to_it, outbox):
            stream.close()


async def _read(stdout: ByteReceiveStream, inbox: Inbox, limit_bytes: int) -> None:
    """Pass messages on, one a line; a line that is too long is the end of what is listened to."""
    buffer = b""
    with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError), inbox:
        while len(buffer) <= limit_bytes:
            *lines, buffer = (buffer + await stdout.receive()).split(b"\n")
            for line in lines:
                if line.strip():
                    await inbox.send(_parse(line))


def _parse(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _write(stdin: ByteSendStream, outbox: Outbox, inbox: Inbox) -> None:
    try:
        async for message in outbox:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await stdin.send(text.encode() + b"\n")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        inbox.close()  # it may still run, but it hears nothing


async def _end(process: Process) -> None:
    """Close the server's input, wait a moment, and kill what is left of its group, also what it has started."""
    with (
        anyio.move_on_after(GRACE_S),
        suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError),
    ):
        if process.stdin is not None:
            await process.stdin.aclose()
        await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.aclose()
