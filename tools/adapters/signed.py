"""Functions that are called as their signature says: `signature` in a configuration is the digest that was accepted.

Their arguments are turned into what the hints name before the function is called, and its result into JSON after it.
A function without it gets JSON values as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agentops.messages import send_now
from tools.adapters.http.origin import find_origin_faults

if TYPE_CHECKING:
    from tools.functions import Signature

SIGNATURE, ORIGIN = "signature", "origin"
KEYS = frozenset({SIGNATURE, ORIGIN})
CHANGED = "definition_changed"
RECHECK_S = 60.0

Function = Callable[..., Any]  # Any: the tool's author decides

_DIGEST = re.compile(r"[0-9a-f]{64}")


class SignatureChanged(Exception):
    """The function is not defined any more as it was accepted."""


def convert(
    config: Mapping[str, Any], function: Function, arguments: dict[str, Any]
) -> dict[str, Any]:  # Any: JSON
    """Return the arguments as the function takes them.

    Raises SignatureChanged for a function that is another one than was accepted, ValueError for what its hints refuse.
    """
    if SIGNATURE not in config:
        return arguments
    read = _read(function)
    if read is None or read[1] != config[SIGNATURE]:
        raise SignatureChanged
    return read[0].convert(arguments)


def express(config: Mapping[str, Any], function: Function, result: object) -> object:
    """Return a result, or what a read-back found of one, as JSON. Raises TypeError for one of another type."""
    read = _read(function) if SIGNATURE in config else None
    return result if read is None else read[0].express(result)


def find_signature_faults(config: Mapping[str, Any], function: Function | None) -> list[str]:
    """Return what has to be put right in a configuration, as remedies; ``function`` is None where there is none."""
    if ORIGIN in config and SIGNATURE not in config:
        return ["leave signature and origin as an import wrote them"]
    if SIGNATURE not in config:
        return []
    faults = find_origin_faults(config[ORIGIN]) if ORIGIN in config else []
    if not isinstance(config[SIGNATURE], str) or not _DIGEST.fullmatch(config[SIGNATURE]):
        return [*faults, "leave signature as an import wrote it"]
    read = None if function is None else _read(function)
    if function is not None and (read is None or read[1] != config[SIGNATURE]):
        faults.append("signature: the function is not defined like that (any more): import it anew")
    return faults


def ask_anew(config: Mapping[str, Any], tool_id: UUID) -> None:
    """Have a function looked at again, with its module if it was imported. A hint: the next call finds it out, too."""
    if ORIGIN in config:
        send_now("tools.recheck_server", config[ORIGIN]["server"], expires_s=RECHECK_S)
    else:
        send_now("tools.recheck_function", str(tool_id), expires_s=RECHECK_S)


def digest_of(function: Function) -> str:
    """Return the digest of a function as it is now; empty for one that no tool can be made of."""
    read = _read(function)
    return "" if read is None else read[1]


@lru_cache(maxsize=512)
def _read(function: Function) -> tuple[Signature, str] | None:
    """Return a function's signature and the digest of its description; None for one that no tool can be made of."""
    from tools.functions import (
        UnusableSignature,
        describe_function,
        read_signature,
    )  # pydantic: only where it is used

    try:
        signature = read_signature(function)
    except UnusableSignature:
        return None
    return signature, describe_function(function, signature).digest
