"""Calls of the tools of a test's server, as an import pins them."""

from __future__ import annotations

from functools import cache, partial
from typing import Any
from uuid import UUID

from tests.tools.execution import make_call, make_spec
from tools.adapters.mcp.config import Target
from tools.adapters.mcp.definitions import Described
from tools.adapters.mcp.listing import ask_for_tools
from tools.calls import Call

SERVER = UUID(int=9)


@cache
def describe(url: str, name: str) -> Described:
    """Return how a server describes a tool; it is asked once."""
    found = ask_for_tools(Target(str(SERVER), url, allow_private=True), [], {}, within_s=10)
    return next(tool for tool in found if tool.name == name)


def pinned(url: str, name: str, **config: Any) -> dict[str, Any]:  # Any: JSON
    """Return a tool's configuration."""
    digest = config.pop("digest", None) or describe(url, name).digest
    return {
        "server": str(SERVER),
        "tool": name,
        "digest": digest,
        "url": url,
        "allow_private": True,
        **config,
    }


def call_of(
    config: dict[str, Any], arguments: dict[str, Any], effect: str = "irreversible", **changes: Any
) -> Call:
    """Return a call of a tool with this configuration."""
    fields = ("token", "recall", "credential")
    given = {name: changes.pop(name) for name in fields if name in changes}
    spec = make_spec(adapter="mcp", config=config, effect=effect, name=config["tool"], **changes)
    return make_call(spec, arguments, **given)


call_refund = partial(call_of, arguments={"order": "A-17"})
