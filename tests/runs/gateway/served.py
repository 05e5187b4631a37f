"""Servers of tools as a company takes them over: named, asked, each tool looked at, accepted and granted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tests.runs.company import Company
from tools.adapters.mcp.readable import split_name
from tools.models import ServerTool, ToolServer
from tools.services import ServerDefinition, Takeover, create_server, import_tool, refresh_server

# What a test of a stranger's server has to wait for, and how long it may take to begin.
TERMS: dict[str, Any] = {
    "timeout_s": 60.0,
    "breaker": {"probe_lease_s": 90.0},
    "backoff_base_s": 0.001,
    "backoff_cap_s": 0.002,
}  # Any: fields of a definition


def take_over(
    company: Company, slug: str, definition: ServerDefinition, effect: str = "read",
    asks: Mapping[str, Mapping[str, Any]] | None = None,
) -> ToolServer:  # Any: as below  # fmt: skip
    """Take over all that a server lists and that can be taken over, and grant it; return the server.

    ``asks``: by the name of a tool, the forms that it may ask for.
    """
    cast = company.cast
    server = create_server(actor=cast.alice, team=cast.team, slug=slug, definition=definition)
    assert refresh_server(actor=cast.alice, server=server).trouble == ""
    for row in ServerTool.objects.filter(server=server, faults=[]):
        accept(company, row, effect, (asks or {}).get(split_name(row.name)[1]))
    return server


def accept(
    company: Company, row: ServerTool, effect: str, asks: Mapping[str, Any] | None = None
) -> None:  # Any: forms, as JSON Schemas
    """Take one tool over, as a person who has looked at it would."""
    takeover = Takeover(plain_name(row.name), effect, asks=asks or {}, terms=TERMS)
    version = import_tool(actor=company.cast.alice, described=row, takeover=takeover, seen=row.digest)
    company.versions.append(version)
    company.grant(version.tool, "ALLOW")


def plain_name(name: str) -> str:
    """Return a name of ours for what a server calls so."""
    own = split_name(name)[1] if name.startswith("prompt:") else name  # prompts are called by it
    return re.sub(r"\W+", "_", own).strip("_")
