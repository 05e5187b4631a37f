"""Whether what a definition says of its resolvers can be done: by a tool of the team that only reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tools.models import Effect, Tool, ToolVersion
from tools.resolvers.declaration import Resolver, find_declaration_faults, read_resolvers
from tools.services.definition import ToolDefinition
from tools.services.schema_paths import property_at

IDENTIFYING = ("string", "integer")

JsonObject = dict[str, Any]  # Any: JSON Schema


def find_resolver_faults(tool: Tool, definition: ToolDefinition) -> list[str]:
    """Return what has to be put right in how arguments are looked up, worded as "where: what"."""
    faults = list(find_declaration_faults(definition.resolvers))
    if faults:
        return faults
    resolvers = read_resolvers(definition.resolvers)
    given_late = {each.name for each in resolvers if each.needs}
    return [
        f"resolvers/{each.name}{fault}"
        for each in resolvers
        for fault in (
            *_find_argument_faults(each, definition, given_late),
            *_find_lookup_faults(each, tool, definition),
        )
    ]


def _find_argument_faults(
    resolver: Resolver, definition: ToolDefinition, given_late: set[str]
) -> Iterator[str]:
    schema = definition.input_schema
    found = property_at(schema, resolver.path)
    if found is None or found.get("type") not in IDENTIFYING:
        yield ": an argument that the input schema declares, a text or a whole number"
    if resolver.name in (definition.amount_argument, *definition.bound):
        yield ": an amount, or what a table decides, is not looked up"
    for name in sorted(resolver.needs):
        if property_at(schema, [name]) is None:
            yield f"/arguments: {name!r} is not a declared argument"
        if name in given_late or name == resolver.name:
            yield f"/arguments: {name!r} is itself looked up with another argument"


def _find_lookup_faults(resolver: Resolver, tool: Tool, definition: ToolDefinition) -> Iterator[str]:
    lookup = find_reading_tool(tool, resolver.tool)
    if lookup is None:
        yield "/tool: name another tool of the team, in service, that only reads"
        return
    schema, given = lookup.input_schema, {*resolver.arguments}
    for name in sorted({*given, *([resolver.query] if resolver.query else [])}):
        if property_at(schema, [name]) is None:
            yield f"/arguments: {resolver.tool} takes no {name!r}"
    # Without a call nobody has said any words yet.
    told = given if resolver.fresh_s is not None else {*given, resolver.query}
    for name in sorted(set(schema.get("required", ())) - told):
        yield f"/arguments: {resolver.tool} cannot do without {name!r}"
    if lookup.resolvers:
        yield f"/tool: arguments of {resolver.tool} are themselves looked up"
    if lookup.output_schema is not None:
        yield from _find_answer_faults(resolver, lookup.output_schema)


def _find_answer_faults(resolver: Resolver, schema: JsonObject) -> Iterator[str]:
    items = property_at(schema, resolver.items) if resolver.items else schema
    if items is None:
        yield "/items: not in the output schema"
        return
    each = (*resolver.items, "*") if items.get("type") == "array" else resolver.items
    for path in (resolver.value, *resolver.labels, *([resolver.date] if resolver.date else [])):
        if property_at(schema, (*each, *path)) is None:
            yield f": the output schema has no {'.'.join(path)} of an item"


def find_reading_tool(tool: Tool, name: str) -> ToolVersion | None:
    """Return the latest version of another tool of the team, in service, if it only reads."""
    other = Tool.objects.filter(team_id=tool.team_id, name=name).exclude(pk=tool.pk)
    found = other.exclude(state=Tool.State.RETIRED).first()
    latest = None if found is None else found.versions.order_by("-number").first()
    return latest if latest is not None and latest.effect == Effect.READ else None
