"""What an operator says of the servers of tools that may be started on this installation's hosts (`MCP_COMMANDS`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

_MAY_SAY = frozenset({"line", "network", "reads", "writes", "sandbox"})


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what its server may reach from its sandbox.

    `network`: whatever our hosts reach. `reads`, `writes`: files and folders, by absolute paths, beside the programs of
    the system and what the line itself names. Without `sandbox` it may do what our own account may.
    """

    line: tuple[str, ...]
    network: bool = False
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    sandbox: bool = True


Commands = Mapping[str, Command]


def parse_commands(told: Mapping[str, Any]) -> dict[str, Command]:  # Any: JSON, or what tests write
    """Return the commands by name. Raises ValueError, in words for the operator."""
    return {name: _parse(name, each) for name, each in told.items()}


def _parse(name: str, told: object) -> Command:
    if isinstance(told, Command):
        return told
    if _is_texts(told):
        told = {"line": told}
    if not isinstance(told, Mapping) or not set(told) <= _MAY_SAY or not told.get("line"):
        raise ValueError(f"{name}: give a command line, or an object of {', '.join(sorted(_MAY_SAY))}")
    line, reads, writes = (_texts(name, told.get(key, ())) for key in ("line", "reads", "writes"))
    network, sandbox = told.get("network", False), told.get("sandbox", True)
    if type(network) is not bool or type(sandbox) is not bool:
        raise ValueError(f"{name}: network and sandbox are true or false")
    if not all(map(_is_place, [*reads, *writes])):
        raise ValueError(f"{name}: reads and writes take absolute paths without dots, and not the root")
    return Command(line, network, reads, writes, sandbox)


def _texts(name: str, told: object) -> tuple[str, ...]:
    if not _is_texts(told):
        raise ValueError(f"{name}: line, reads and writes are lists of texts")
    return tuple(told)


def _is_texts(told: object) -> TypeGuard[Sequence[str]]:
    if not isinstance(told, Sequence) or isinstance(told, str):
        return False
    return all(isinstance(each, str) and each and "\0" not in each for each in told)


def _is_place(path: str) -> bool:
    return path.startswith("/") and all(part not in {"", ".", ".."} for part in path[1:].split("/"))
