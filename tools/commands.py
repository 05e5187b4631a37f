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
    lists = {key: told.get(key, ()) for key in ("line", "reads", "writes")}
    switches = {key: told[key] for key in ("network", "sandbox") if key in told}
    if not all(map(_is_texts, lists.values())) or not all(type(each) is bool for each in switches.values()):
        raise ValueError(
            f"{name}: line, reads and writes are lists of texts, network and sandbox true or false"
        )
    if not all(map(_is_place, [*lists["reads"], *lists["writes"]])):
        raise ValueError(f"{name}: reads and writes take absolute paths without dots, and not the root")
    return Command(**{key: tuple(each) for key, each in lists.items()}, **switches)


def _is_texts(told: object) -> TypeGuard[Sequence[str]]:
    is_list = isinstance(told, Sequence) and not isinstance(told, str)
    return is_list and all(isinstance(each, str) and each and "\0" not in each for each in told)


def _is_place(path: str) -> bool:
    return path.startswith("/") and all(part not in {"", ".", ".."} for part in path[1:].split("/"))
