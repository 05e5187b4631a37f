"""Tool versions as governed changes: to call a tool milder, or to take what is capped from elsewhere, loosens."""

from __future__ import annotations

from typing import Any

from identities.changes import Change, as_json
from identities.models import User
from tools.models import Tool, ToolVersion
from tools.services.definition import ToolDefinition

ADD_VERSION = "tool_version.add"
DEFINE = "tools.add_toolversion"
MILDEST_FIRST = ("read", "reversible", "irreversible")

Row = dict[str, Any]  # Any: columns


def describe_version(
    tool: Tool, definition: ToolDefinition, digest: str, latest: ToolVersion | None
) -> Change:
    """Describe a further version of a tool."""
    before = None if latest is None else as_json(_facts_of(latest))
    after = {"effect": definition.effect, "amount_argument": definition.amount_argument, "digest": digest}
    return Change(
        verb=ADD_VERSION,
        subject=str(tool.id),
        team=tool.team,
        permission=DEFINE,
        title=f"How {tool} is defined, and what it does to the world",
        arguments={"tool": str(tool.id), "definition": definition.values()},
        before=before,
        after=after,
        loosening=() if before is None else tuple(_find_milder(before, after)),
        undo=None if latest is None else {"tool": str(tool.id), "version": str(latest.id)},
    )


def _facts_of(version: ToolVersion) -> Row:
    names = ("effect", "amount_argument", "digest", "number")
    return {name: getattr(version, name) for name in names}


def _find_milder(before: Row, after: Row) -> list[str]:
    milder = MILDEST_FIRST.index(after["effect"]) < MILDEST_FIRST.index(before["effect"])
    elsewhere = after["amount_argument"] != before["amount_argument"]
    return [name for name, is_so in (("effect", milder), ("amount_argument", elsewhere)) if is_so]


def carry_out_version(actor: User, arguments: Row) -> object:
    """Add the version that a proposal defines, or one that is defined as an earlier one was."""
    from tools.services.catalogue import add_version  # which describes itself here
    from tools.services.definition import definition_of

    tool = Tool.objects.get(pk=arguments["tool"])
    if "version" in arguments:
        definition = definition_of(ToolVersion.objects.get(pk=arguments["version"]))
    else:
        values = arguments["definition"]
        definition = ToolDefinition(**{**values, "dedupe_on": tuple(values["dedupe_on"])})
    return add_version(actor=actor, tool=tool, definition=definition)
