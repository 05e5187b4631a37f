"""How a tool is undone, as its definition declares it: by which tool of the team, with which arguments.

``{"kind": "reversible" | "compensable", "tool": "unblock_card", "arguments": {"card": "$arguments.card"}}``. An
argument is a value, or where it is taken from: ``$arguments.`` or ``$result.`` with a dotted path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.models import Effect, Tool
from tools.services.definition import ToolDefinition
from tools.services.schema_paths import property_at

KINDS = ("reversible", "compensable")
SOURCES = {"$arguments": "input_schema", "$result": "output_schema"}

JsonObject = dict[str, Any]  # Any: JSON


def find_undo_faults(tool: Tool, definition: ToolDefinition) -> list[str]:
    """Return what has to be put right in how a tool is undone; empty if nothing, or if nobody says how."""
    undo = definition.undo
    if undo is None:
        return []
    if set(undo) != {"kind", "tool", "arguments"} or not isinstance(undo["arguments"], dict):
        return ["undo: give kind, tool and arguments, or leave it out where nothing undoes the effect"]
    if definition.effect == Effect.READ:
        return ["undo: leave it out, a read has no effect"]
    faults = [] if undo["kind"] in KINDS else [f"undo/kind: declare one of {', '.join(KINDS)}"]
    schema = _schema_of(tool, definition, undo["tool"])
    if schema is None:
        return [*faults, "undo/tool: name a tool of the same team that is in service and changes something"]
    return faults + list(_find_argument_faults(undo["arguments"], schema, definition))


def _schema_of(tool: Tool, definition: ToolDefinition, name: object) -> JsonObject | None:
    """Return what the undoing tool takes; an address is set back by the tool that has set it."""
    if name == tool.name:
        return definition.input_schema
    other = (
        Tool.objects.filter(team_id=tool.team_id, name=str(name)).exclude(state=Tool.State.RETIRED).first()
    )
    latest = None if other is None else other.versions.order_by("-number").first()
    if latest is None or latest.effect == Effect.READ:
        return None
    schema: JsonObject = latest.input_schema
    return schema


def _find_argument_faults(
    arguments: JsonObject, schema: JsonObject, definition: ToolDefinition
) -> Iterator[str]:
    for name in sorted(set(schema.get("required", ())) - arguments.keys()):
        yield f"undo/arguments: say where {name!r} is taken from, the tool cannot do without it"
    for name, template in arguments.items():
        wanted = property_at(schema, [name])
        if wanted is None:
            yield f"undo/arguments/{name}: the tool takes no such argument"
        elif isinstance(template, str) and template.startswith("$"):
            yield from _find_template_faults(name, template, wanted, definition)


def _find_template_faults(
    name: str, template: str, wanted: JsonObject, definition: ToolDefinition
) -> Iterator[str]:
    source, *path = template.split(".")
    given = getattr(definition, SOURCES[source]) if source in SOURCES else None
    if given is None or not path:
        yield f"undo/arguments/{name}: write $arguments.name, or $result.name with an output_schema"
        return
    found = _surely_at(given, path)
    if found is None:
        yield f"undo/arguments/{name}: {template} is not surely there: declare it, and as required"
    elif "type" in found and "type" in wanted and found["type"] != wanted["type"]:
        yield f"undo/arguments/{name}: {template} is {found['type']}, the tool takes {wanted['type']}"


def _surely_at(schema: JsonObject, path: list[str]) -> JsonObject | None:
    """Return the schema of what every valid value holds at a path; None where it may be missing."""
    for place, part in enumerate(path):
        node = property_at(schema, path[:place]) if place else schema
        if node is None or part not in node.get("required", ()):
            return None
    return property_at(schema, path)
