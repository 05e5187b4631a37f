"""Whether what a definition says of its preview can be read: by a tool of the team that only reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentops.pointers import steps_of
from tools.models import Effect, Tool, ToolVersion
from tools.previews.declaration import (
    ARGUMENT,
    ETAG,
    Change,
    ChangeType,
    Preview,
    find_declaration_faults,
    is_argument,
    is_pointer,
    path_of,
    read_preview,
)
from tools.previews.values import Unreadable, check
from tools.services.definition import ToolDefinition
from tools.services.resolver_faults import find_reading_tool
from tools.services.schema_paths import property_at

JsonObject = dict[str, Any]  # Any: JSON Schema
# What a schema may call the values that are shown as each type; a text may be a list of texts.
FITTING: dict[ChangeType, frozenset[str]] = {
    "money": frozenset({"string", "number", "integer", "null"}),
    "number": frozenset({"string", "number", "integer", "null"}),
    "text": frozenset({"string", "number", "integer", "array", "null"}),
    "date": frozenset({"string", "null"}),
    "status": frozenset({"string", "null"}),
    "boolean": frozenset({"boolean", "null"}),
}


def find_preview_faults(tool: Tool, definition: ToolDefinition) -> list[str]:
    """Return what has to be put right in how a call's changes are shown, worded as "where: what"."""
    if definition.preview is None:
        return []
    if definition.effect == Effect.READ:
        return ["preview: leave it out, a read changes nothing"]
    faults = list(find_declaration_faults(definition.preview))
    preview = None if faults else read_preview(definition.preview, definition.currency)
    if preview is None:
        return faults or ["preview: give tool and changes, or leave it out"]
    return [f"preview{fault}" for fault in _find_faults(preview, tool, definition)]


def _find_faults(preview: Preview, tool: Tool, definition: ToolDefinition) -> Iterator[str]:
    reading = find_reading_tool(tool, preview.tool)
    if reading is None:
        yield "/tool: name another tool of the team, in service, that only reads"
        return
    yield from _find_argument_faults(preview, reading, definition)
    if preview.pin == ETAG and reading.adapter != "http":
        yield f"/pin: only an HTTP tool answers with an ETag, {preview.tool} is reached by {reading.adapter}"
    elif is_pointer(preview.pin):
        yield from _find_pointer_faults(
            "/pin", preview.pin, reading.output_schema, ("string", "number", "integer")
        )
    for place, change in enumerate(preview.changes):
        yield from (f"/changes/{place}{fault}" for fault in _find_change_faults(change, reading, definition))


def _find_argument_faults(
    preview: Preview, reading: ToolVersion, definition: ToolDefinition
) -> Iterator[str]:
    schema: JsonObject = reading.input_schema
    for name in sorted(set(schema.get("required", ())) - preview.arguments.keys()):
        yield f"/arguments: {preview.tool} cannot do without {name!r}"
    for name, template in preview.arguments.items():
        if property_at(schema, [name]) is None:
            yield f"/arguments: {preview.tool} takes no {name!r}"
        if is_argument(template) and property_at(definition.input_schema, path_of(template)) is None:
            yield f"/arguments/{name}: {template} is not a declared argument"


def _find_change_faults(change: Change, reading: ToolVersion, definition: ToolDefinition) -> Iterator[str]:
    for name, source in (("/before", change.before), ("/after", change.after)):
        parts = (
            [each for listed in source.values() for each in listed] if isinstance(source, dict) else [source]
        )
        for part in parts:
            yield from _find_source_faults(name, part, change.type, reading, definition)
    if change.type == "money" and not change.currency:
        yield "/currency: say in which currency, or give the tool one"
    elif is_pointer(change.currency):
        yield from _find_pointer_faults("/currency", change.currency, reading.output_schema, ("string",))


def _find_source_faults(
    where: str, source: object, kind: ChangeType, reading: ToolVersion, definition: ToolDefinition
) -> Iterator[str]:
    if is_pointer(source):
        yield from _find_pointer_faults(where, str(source), reading.output_schema, FITTING[kind])
    elif is_argument(source):
        found = property_at(definition.input_schema, path_of(str(source)))
        if found is None:
            yield f"{where}: {source} is not a declared argument"
        elif not _fits(found, FITTING[kind]):
            yield f"{where}: {source} is {found['type']}, which is not shown as {kind}"
    elif isinstance(source, str) and source.startswith("$"):
        yield f"{where}: write {ARGUMENT}name, or a place in the answer such as /status"
    else:
        try:
            check(source, kind, str(source))
        except Unreadable as error:
            yield f"{where}: {error}"


def _find_pointer_faults(
    where: str, pointer: str, schema: JsonObject | None, types: tuple[str, ...] | frozenset[str]
) -> Iterator[str]:
    """Without an output schema nobody can say beforehand; each answer is looked at in any case."""
    if schema is None:
        return
    found = property_at(schema, ["*" if step.isdigit() else step for step in steps_of(pointer)])
    if found is None:
        yield f"{where}: the output schema has no {pointer}"
    elif not _fits(found, types):
        yield f"{where}: {pointer} is {found['type']} by the output schema, which does not fit here"


def _fits(schema: JsonObject, types: tuple[str, ...] | frozenset[str]) -> bool:
    declared = schema.get("type")
    named = [declared] if isinstance(declared, str) else declared or []
    return not named or any(name in types for name in named)
