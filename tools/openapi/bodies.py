"""What an operation takes as its body, as arguments of a tool."""

from __future__ import annotations

import re

from tools.openapi.parameters import SCALARS, Arguments, kinds_of
from tools.openapi.references import Node, References, Unusable
from tools.openapi.schemas import SchemaReader

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
_JSON_TYPE = re.compile(r"application/(?:[A-Za-z0-9.-]{1,64}\+)?json")
# One argument for each property is the same only where nothing else is said about the object as a whole.
FLAT = frozenset(
    {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "propertyNames",
        "title",
        "description",
        "deprecated",
    }
)


def read_body(
    references: References, operation: Node, method: str, reader: SchemaReader, arguments: Arguments
) -> Node:
    """Add what the body takes; return what the tool's configuration says of it. Raises Unusable."""
    if "requestBody" not in operation:
        return {"body": "none"}
    body = references.resolve(operation["requestBody"], "its body")
    is_required = body.get("required") is True
    content = body.get("content")
    if not isinstance(content, dict):
        raise Unusable("its body has no content")
    chosen = _choose(content)
    if method in ("GET", "HEAD") or chosen is None:
        kinds = ", ".join(map(str, list(content)[:3])) or "nothing that it names"
        why = f"it takes a body with {method}" if chosen else f"its body is {kinds[:100]}"
        if is_required:
            raise Unusable(f"{why}, which is not sent")
        arguments.notes.append(f"Without a body: {why}, which is not sent.")
        return {"body": "none"}
    kind, raw = chosen
    media = references.resolve(raw, "its body")
    schema = reader.read(media.get("schema", {}))
    if kind == FORM:
        return _read_form(media, schema, is_required, reader, arguments)
    told = {"body": "json"} | ({} if kind == JSON else {"content_type": kind})
    if not _spread(schema, is_required, arguments):
        arguments.add("body", {"in": "body", "name": ""}, schema, is_required=is_required)
    return told


def _choose(content: Node) -> tuple[str, object] | None:
    """Return the kind of body that can be sent: JSON first, then a form."""
    kinds = {str(name).partition(";")[0].strip().lower(): media for name, media in content.items()}
    for kind in (JSON, *(kind for kind in kinds if _JSON_TYPE.fullmatch(kind)), FORM):
        if kind in kinds:
            return kind, kinds[kind]
    anything = next((kind for kind in ("application/*", "*/*") if kind in kinds), None)
    return (JSON, kinds[anything]) if anything else None


def _spread(schema: Node, is_required: bool, arguments: Arguments) -> bool:
    """Add one argument for each property, if that says the same; return whether it does."""
    properties, required = schema.get("properties"), schema.get("required", [])
    if schema.get("type", "object") != "object" or not isinstance(properties, dict) or not properties:
        return False
    if not schema.keys() <= FLAT or isinstance(schema.get("additionalProperties"), dict):
        return False
    if (
        not isinstance(required, list)
        or not set(required) <= properties.keys()
        or (required and not is_required)
    ):
        return False
    for name, part in properties.items():
        place = {"in": "body"} if name else {"in": "body", "name": ""}
        if not name:
            raise Unusable("its body has a property without a name")
        arguments.add(name, place, part, is_required=name in required)
    return True


def _read_form(
    media: Node, schema: Node, is_required: bool, reader: SchemaReader, arguments: Arguments
) -> Node:
    properties = schema.get("properties")
    if media.get("encoding"):
        raise Unusable("its form has notations of its own, which are not sent")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        kinds = kinds_of(part, reader.definitions)
        items = part.get("items") if "array" in kinds else {"type": "string"}
        is_flat = isinstance(items, dict) and kinds_of(items, reader.definitions) <= SCALARS
        if not kinds <= SCALARS | {"array"} or not is_flat or part.get("format") == "binary":
            raise Unusable(f"the field {name!r} of its form is no text, number, boolean or list of them")
    if not _spread(schema, is_required, arguments):
        raise Unusable("its form has no declared fields, or says more of them than their kinds")
    return {"body": "form"}
