"""Tool versions as governed changes: to call a tool milder, to call something else, or to count otherwise, loosens."""

from __future__ import annotations

import math
from typing import Any

from identities.changes import Change, as_json
from identities.models import User
from tools.bindings import keeps_bindings
from tools.models import Tool, ToolVersion
from tools.resolvers.declaration import keeps_resolvers
from tools.services.definition import ToolDefinition, definition_of

ADD_VERSION = "tool_version.add"
DEFINE = "tools.add_toolversion"
MILDEST_FIRST = ("read", "reversible", "irreversible")
# What is called, with which secret, and what caps count: nobody can tell a milder one of these from a stricter.
# Whose a result is decides about the calls of every other tool.
NEVER_MILDER = ("adapter", "config", "amount_argument", "currency", "provenance")

Row = dict[str, Any]  # Any: columns


def describe_version(
    tool: Tool, definition: ToolDefinition, digest: str, latest: ToolVersion | None
) -> Change:
    """Describe a further version of a tool, with all that differs: the digest alone tells a reader nothing."""
    present = {} if latest is None else definition_of(latest).values()
    values = definition.values()
    before = None if latest is None else _state(present, values, digest=latest.digest, number=latest.number)
    return Change(
        verb=ADD_VERSION,
        subject=str(tool.id),
        team=tool.team,
        permission=DEFINE,
        title=f"How {tool} is defined, and what it does to the world",
        arguments={"tool": str(tool.id), "definition": values},
        before=before,
        after=_state(values, present, digest=digest),
        loosening=() if latest is None else tuple(_shown(name) for name in _find_looser(present, values)),
        undo=None if latest is None else {"tool": str(tool.id), "version": str(latest.id)},
    )


def allows_more(version: ToolVersion) -> bool:
    """Return whether a version would loosen if it followed the latest one of its tool."""
    latest = ToolVersion.objects.filter(tool=version.tool_id).latest("number")
    return bool(_find_looser(definition_of(latest).values(), definition_of(version).values()))


def _state(values: Row, others: Row, **row: object) -> Row:
    differing = {_shown(name): value for name, value in values.items() if others.get(name) != value}
    return as_json(
        {"effect": values["effect"], "amount_argument": values["amount_argument"], **differing, **row}
    )


def _shown(name: str) -> str:
    """Return a name under which the guards do not look for a column: what is shown as text would differ from it."""
    return name if name in ("effect", "amount_argument") else f"definition.{name}"


def _find_looser(before: Row, after: Row) -> list[str]:
    milder = MILDEST_FIRST.index(after["effect"]) < MILDEST_FIRST.index(before["effect"])
    others = [name for name in NEVER_MILDER if after[name] != before[name]]
    unbound = [] if keeps_bindings(before["bound"], after["bound"]) else ["bound"]
    unresolved = [] if keeps_resolvers(before["resolvers"], after["resolvers"]) else ["resolvers"]
    # Another preview shows people something else of the same call.
    unseen = ["preview"] if before["preview"] and after["preview"] != before["preview"] else []
    more = ["max_concurrency"] if _places(after) > _places(before) else []
    return [*(["effect"] if milder else []), *others, *unbound, *unresolved, *unseen, *more]


def _places(values: Row) -> float:
    limit = values.get("max_concurrency")
    return math.inf if limit is None else limit


def carry_out_version(actor: User, arguments: Row) -> object:
    """Add the version that a proposal defines, or one that is defined as an earlier one was."""
    from tools.services.catalogue import add_version  # which describes itself here

    tool = Tool.objects.get(pk=arguments["tool"])
    if "version" in arguments:
        definition = definition_of(ToolVersion.objects.get(pk=arguments["version"]))
    else:
        values = arguments["definition"]
        definition = ToolDefinition(**{**values, "dedupe_on": tuple(values["dedupe_on"])})
    return add_version(actor=actor, tool=tool, definition=definition)
