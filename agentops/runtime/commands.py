"""Commands that are management commands: they join the running stack, or start what they need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping

from agentops.runtime import application, service_urls
from agentops.runtime.data_directory import DataInUse, default_data, find_running_stack, hold
from agentops.runtime.processes import StackError, tied_argv
from agentops.runtime.services import Stack, temporary_stack
from agentops.runtime.supervision import ROOT

# Called with the command's name and its arguments; returns the exit code.
Runner = Callable[[str, list[str]], int]


def run_command(name: str, arguments: list[str]) -> int:
    """Run ``manage.py NAME`` against the stack of the data directory; return its exit code."""
    if wants_help(arguments):
        return run_manage(name, arguments, service_urls.PLACEHOLDERS)
    running = find_running_stack(default_data())
    if running:
        return run_manage(name, arguments, running.environment)
    try:
        with hold(default_data(), name) as data, Stack(data, durable=True) as stack:
            prepare = prepare_demo if name == "demo" else prepare_services
            prepare(stack)
            return run_manage(name, arguments, stack.environment())
    except DataInUse as error:
        return _complain(name, f"{error}, which is not ready (or not a stack to join): try again later")
    except (StackError, OSError) as error:
        return _complain(name, str(error))


def run_measurement(name: str, arguments: list[str]) -> int:
    """Run ``manage.py NAME`` against a durable stack that is thrown away; a user's data is never touched."""
    if wants_help(arguments):
        return run_manage(name, arguments, service_urls.PLACEHOLDERS)
    try:
        with temporary_stack(durable=True) as stack:
            stack.start_postgres()
            stack.start_valkey()
            stack.variables["AGENTOPS_DATA"] = str(stack.data)
            stack.migrate()
            return run_manage(name, arguments, stack.environment())
    except (StackError, OSError) as error:
        return _complain(name, str(error))


def run_apart(name: str, arguments: list[str]) -> int:
    """Run ``manage.py NAME``, which starts and kills servers of its own."""
    return run_manage(name, arguments, service_urls.PLACEHOLDERS)


def prepare_services(stack: Stack) -> None:
    """Start the servers and migrate."""
    application.start_servers(stack)
    application.configure(stack, application.DemoPorts.choose(stack.data))
    stack.migrate()


def prepare_demo(stack: Stack) -> None:
    """Start all that a run of the demo needs; its logs go to files, the terminal is for the trace."""
    ports = application.DemoPorts.choose(stack.data)
    application.start_servers(stack)
    application.configure(stack, ports)
    application.prepare_database(stack)
    application.spawn_demo_servers(stack, ports)
    application.spawn_worker(stack)
    application.spawn_beat(stack)  # what nobody decides has to expire


def run_manage(name: str, arguments: list[str], environment: Mapping[str, str]) -> int:
    """Run ``manage.py`` at this terminal with these variables; return its exit code as a shell would."""
    command, program = ([], "agentops manage") if name == "manage" else ([name], "agentops")
    argv = [sys.executable, str(ROOT / "manage.py"), *command, *arguments]
    # In this process's group: it may ask questions, and Ctrl-C at the terminal is meant for it too.
    command_line = tied_argv(argv, stop_signal=signal.SIGTERM)
    told = {**os.environ, **environment, "AGENTOPS_PROG": program}
    code = subprocess.run(command_line, env=told, check=False).returncode
    return code if code >= 0 else 128 - code


def wants_help(arguments: list[str]) -> bool:
    """Whether nothing is to be done but to explain."""
    return not {"-h", "--help"}.isdisjoint(arguments)


def _complain(name: str, message: str) -> int:
    print(f"agentops {name}: {message}", file=sys.stderr)
    return 1
