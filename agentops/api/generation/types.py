"""The document's schemas as Python types: an object is a TypedDict, a list of words a Literal."""

from __future__ import annotations

import json
import textwrap
from typing import Any

Json = dict[str, Any]  # Any: an OpenAPI document, or a part of it

HEAD = '''"""What the API takes and gives, typed. Written from docs/openapi.yaml by ``write_openapi``: do not edit."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict  # Any: JSON that the platform does not look into
'''
PLAIN = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
    "array": "list[Any]",
}


def write_types(document: Json) -> str:
    """Return the module of all types, in the order of the document."""
    schemas: Json = document["components"]["schemas"]
    return "\n\n".join([HEAD, *(_definition(name, schema) for name, schema in schemas.items())])


def type_of(schema: Json) -> str:
    """Return the annotation of a schema."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for words in ("enum", "const"):
        if words in schema:
            listed = schema[words] if words == "enum" else [schema[words]]
            return _literal(listed)
    for parts in ("oneOf", "anyOf", "allOf"):
        if parts in schema:
            return " | ".join(dict.fromkeys(type_of(part) for part in schema[parts]))
    return " | ".join(_plain(kind, schema) for kind in _kinds(schema)) or "Any"


def _kinds(schema: Json) -> list[str]:
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else kinds


def _plain(kind: str, schema: Json) -> str:
    if kind == "array" and schema.get("items"):
        return f"list[{type_of(schema['items'])}]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"dict[str, {type_of(schema['additionalProperties'])}]"
    return PLAIN[kind]


def _literal(words: list[Any]) -> str:
    listed = ", ".join("None" if word is None else json.dumps(word, ensure_ascii=False) for word in words)
    return f"Literal[{listed}]"


def _definition(name: str, schema: Json) -> str:
    if not is_typed_dict(schema):
        return f"{name}: TypeAlias = {json.dumps(type_of(schema), ensure_ascii=False)}\n"
    fields = [_field(key, value, schema) for key, value in schema.get("properties", {}).items()]
    told = docstring(schema.get("description", ""), "    ")
    return f"class {name}(TypedDict):\n" + told + "".join(fields) + ("" if told or fields else "    pass\n")


def is_typed_dict(schema: Json) -> bool:
    """Whether an object's members are known, even that it has none."""
    return "properties" in schema or schema.get("additionalProperties") is False


def _field(key: str, schema: Json, whole: Json) -> str:
    kind = type_of(schema)
    return f"    {key}: {kind if key in whole.get('required', ()) else f'NotRequired[{kind}]'}\n"


def docstring(words: str, indent: str) -> str:
    """Return words as a docstring, or nothing."""
    if not words:
        return ""
    safe = words.replace("\\", "\\\\").replace('"""', "'''").strip()
    end = "\n" if "\n" in safe else ""
    return textwrap.indent(f'"""{safe}{end}"""', indent) + "\n\n"
