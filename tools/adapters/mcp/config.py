"""A tool's MCP configuration: what may be said in it, and its form once taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.adapters.http.audience import find_audience_faults
from tools.adapters.http.config import LARGEST_RESPONSE_LIMIT, find_address_faults
from tools.adapters.http.origin import is_id
from tools.adapters.mcp.definitions import LONGEST_NAME
from tools.adapters.mcp.forms import find_form_faults
from tools.calls import AUDIENCE, CREDENTIAL
from tools.schemas import OUTPUT_LIMIT_BYTES

ALWAYS = frozenset({"server", "tool", "digest", "error_is_refusal", "asks", "response_limit_bytes"})
OVER_HTTP = ALWAYS | {"url", "allow_private", AUDIENCE, CREDENTIAL}
OVER_STDIO = ALWAYS | {"command"}

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMAND = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a server is: at an address, or behind a command of this installation. `server` is its id."""

    server: str
    url: str = ""
    command: str = ""
    allow_private: bool = False
    limit_bytes: int = OUTPUT_LIMIT_BYTES


@dataclass(frozen=True, slots=True)
class Pinned:
    """One tool of a server, as it was accepted. `error_is_refusal`: its errors say that nothing was done.

    `asks`: the forms that it may ask to be filled in before it does anything, by name.
    """

    target: Target
    tool: str
    digest: str
    error_is_refusal: bool
    asks: Mapping[str, Any]  # Any: JSON Schema nests


def find_faults(
    config: Mapping[str, Any], commands: Mapping[str, Any]
) -> list[str]:  # Any: whatever was typed in
    """Return what has to be put right in a configuration, worded as remedies."""
    known = OVER_STDIO if "command" in config else OVER_HTTP
    faults = [f"remove {name!r}: unknown" for name in sorted(config.keys() - known)]
    tool, digest = config.get("tool"), config.get("digest")
    if not is_id(config.get("server")):
        faults.append("set server to the id of a server of tools")
    if not isinstance(tool, str) or not 0 < len(tool) <= LONGEST_NAME:
        faults.append("set tool to the name that the server knows it by")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        faults.append("set digest to that of the description that was accepted")
    limit = config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES)
    if type(limit) is not int or not 0 < limit <= LARGEST_RESPONSE_LIMIT:
        faults.append(f"set response_limit_bytes to a number from 1 to {LARGEST_RESPONSE_LIMIT}")
    for name in ("allow_private", "error_is_refusal"):
        if type(config.get(name, False)) is not bool:
            faults.append(f"set {name} to true or false")
    if "asks" in config:
        faults += find_form_faults(config["asks"])
    if "asks" in config and AUDIENCE in config:
        faults.append(
            "leave asks or audience out: a token is bound to arguments that the server sees as they are"
        )
    if "command" in config:
        return faults + find_command_faults(config["command"], commands)
    faults += find_address_faults(config.get("url"))
    return faults + (find_audience_faults(config) if AUDIENCE in config and not faults else [])


def find_command_faults(name: object, commands: Mapping[str, Any]) -> list[str]:  # Any: command lines
    """Return what has to be put right: people name a command, only the operator says what it runs."""
    if not isinstance(name, str) or not _COMMAND.fullmatch(name) or name not in commands:
        return ["set command to a name that the operator lists in MCP_COMMANDS"]
    return []


def parse_pinned(config: Mapping[str, Any]) -> Pinned:
    """Take a configuration apart that has no faults."""
    target = Target(
        server=config["server"],
        url=config.get("url", ""),
        command=config.get("command", ""),
        allow_private=config.get("allow_private", False),
        limit_bytes=config.get("response_limit_bytes", OUTPUT_LIMIT_BYTES),
    )
    refuses, asks = config.get("error_is_refusal", False), config.get("asks", {})
    return Pinned(target, config["tool"], config["digest"], refuses, asks)
