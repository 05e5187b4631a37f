"""``agentops up``: the whole stack in one terminal."""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentops.runtime import application
from agentops.runtime.data_directory import (
    SIGN_IN_FILE,
    DataInUse,
    RunningStack,
    announce,
    default_data,
    find_running_stack,
    hold,
    withdraw,
)
from agentops.runtime.ports import LOOPBACK, free_port
from agentops.runtime.processes import Process, StackError, StackStopped
from agentops.runtime.services import Stack
from agentops.runtime.terminal import print_line, say

STOPPED_WHILE_STARTING = 130  # what a shell reports after Ctrl-C


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Return the options of ``up``."""
    parser = argparse.ArgumentParser(
        prog="agentops up",
        description="Install what is missing, start PostgreSQL, Valkey, web, worker and beat with the demo "
        "company, and print how to sign in. Ctrl-C stops everything. DATABASE_URL with DATABASE_OWNER_URL, "
        "and REDIS_URL, name servers to use instead of the embedded ones; OPENAI_API_KEY (and "
        "OPENAI_BASE_URL) name a real model.",
    )
    parser.add_argument(
        "--port", type=int, default=8000, help="of the admin and the API (default: %(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=default_data(), help="directory of everything that lasts"
    )
    return parser.parse_args(argv)


def run_up(arguments: argparse.Namespace) -> int:
    """Run the stack until somebody stops it; return the exit code."""
    try:
        with hold(arguments.data, "up") as data:
            code = _run_stack(data, arguments.port)
            say("everything has stopped")
            return code
    except DataInUse as error:
        running = find_running_stack(arguments.data)
        say(f"{error}, serving {running.address}" if running else str(error))
        return 1


def _run_stack(data: Path, wanted_port: int) -> int:
    withdraw(data)  # the last stack may have been killed
    stack = Stack(data, durable=True, output=print_line)
    with _stopping_on_signals(stack), stack:
        try:
            _start(stack, wanted_port)
            return _watch(stack)
        except StackStopped:
            return STOPPED_WHILE_STARTING
        except (StackError, OSError) as error:
            say(str(error))
            return 1
        finally:
            withdraw(data)
            say("stopping")


def _start(stack: Stack, wanted_port: int) -> None:
    began = time.monotonic()
    port = free_port(wanted_port)
    if port != wanted_port:
        say(f"port {wanted_port} is busy, taking {port}")
    ports = application.DemoPorts.choose(stack.data)
    application.start_servers(stack)
    address = f"http://{LOOPBACK}:{port}"
    application.configure(stack, ports)
    stack.variables["PUBLIC_URL"] = os.environ.get("PUBLIC_URL") or address
    say("preparing the database")
    application.prepare_database(stack)
    application.spawn_demo_servers(stack, ports)
    application.spawn_worker(stack)
    application.spawn_urgent_worker(stack)
    application.spawn_beat(stack)
    application.spawn_web(stack, port)
    told = {**stack.environment(), "DEMO_CONSOLE_URL": address}
    announce(stack.data, RunningStack(os.getpid(), address, told))
    _greet(stack.data, f"{address}/admin/", time.monotonic() - began)


def _greet(data: Path, address: str, seconds: float) -> None:
    say(f"ready after {seconds:.0f} s: {address}")
    sign_in = data / SIGN_IN_FILE
    for line in sign_in.read_text().splitlines() if sign_in.exists() else ():
        say(line)
    say("a customer's request, to be decided in the inbox: python3 -m agentops demo --decide console")
    say("Ctrl-C stops everything")


def _watch(stack: Stack) -> int:
    """Wait for the request to stop; a process that ends by itself stops everything, and is named."""
    while not stack.stop_requested.wait(0.3):
        dead = [process for process in stack.processes if process.exit_code is not None]
        if dead:
            say(_describe_end(dead[0]))
            return 1
    return 0


def _describe_end(process: Process) -> str:
    code = process.exit_code or 0
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return f"{process.name} {how}: stopping everything"


@contextmanager
def _stopping_on_signals(stack: Stack) -> Iterator[None]:
    """Let signals only ask for the end, so that a second Ctrl-C cannot break the orderly one."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stack.stop_requested.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
