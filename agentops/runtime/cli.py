"""The command line: ``python3 -m agentops COMMAND``.

Everything reachable from here before ``enter_environment`` is standard library only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import agentops
from agentops.runtime import bootstrap, commands, testing, up

USAGE_ERROR = 2
INTERRUPTED = 130  # what a shell reports after Ctrl-C


@dataclass(frozen=True)
class Command:
    """One word of the command line."""

    summary: str
    run: Callable[[str, list[str]], int]


def _up(name: str, arguments: list[str]) -> int:
    options = up.parse_arguments(arguments)  # explains itself, or complains, before anything is installed
    bootstrap.enter_environment([name, *arguments])
    return up.run_up(options)


def _test(name: str, arguments: list[str]) -> int:
    suite, rest = testing.parse_arguments(arguments)
    bootstrap.enter_environment([name, *arguments], development=True)
    return testing.run_tests(suite, rest)


def _managed(name: str, arguments: list[str]) -> int:
    bootstrap.enter_environment([name, *arguments])
    return commands.run_command(name, arguments)


def _measured(name: str, arguments: list[str]) -> int:
    bootstrap.enter_environment([name, *arguments])
    return commands.run_measurement(name, arguments)


def _apart(name: str, arguments: list[str]) -> int:
    bootstrap.enter_environment([name, *arguments])
    return commands.run_apart(name, arguments)


COMMANDS = {
    "up": Command("start everything with the demo company and say how to sign in", _up),
    "demo": Command("one governed run in the terminal, approval included", _managed),
    "test": Command("run the tests, or one named suite", _test),
    "apply": Command("create or update agents, tools, grants and budgets from a file", _managed),
    "stop": Command("stop a run, an agent, a tool, an end user, or everything", _managed),
    "undo": Command("say what undoing a run would do, or undo it", _managed),
    "verify": Command("check the ledger and name the first bad entry", _managed),
    "bench": Command("measure steps per second on servers of its own", _measured),
    "attacks": Command("replay attacks over suites of tools, on servers of its own", _measured),
    "chaos": Command("kill processes at random on servers of its own and count what was lost", _apart),
    "manage": Command("any Django management command, with the stack's environment", _managed),
}


def usage() -> str:
    """Return the help text."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: python3 -m agentops COMMAND [--help] [...]",
            "",
            *lines,
            "",
            "Commands join the stack that `up` runs, or start the servers that they need for their duration.",
            "AGENTOPS_DATA names another data directory than .data in the checkout.",
        ]
    )


def main(argv: list[str]) -> int:
    """Run a command and return its exit code."""
    if argv[:1] in (["-h"], ["--help"], ["help"]):
        print(usage())
        return 0
    if argv == ["--version"]:
        print(f"agentops {agentops.__version__}")
        return 0
    command = COMMANDS.get(argv[0]) if argv else None
    if command is None:
        print(
            f"unknown command: {argv[0]}\n" if argv else "which command?\n",
            usage(),
            sep="\n",
            file=sys.stderr,
        )
        return USAGE_ERROR
    try:
        return command.run(argv[0], argv[1:])
    except bootstrap.BootstrapError as error:
        print(f"agentops: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
