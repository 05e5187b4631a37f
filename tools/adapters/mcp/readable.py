"""A server's resources and prompts, as tools that only read: one name for each, its arguments, its description.

So they are proposed, accepted, pinned, granted, metered, traced and stopped as every tool is, and nothing else in the
platform has to know of them. A prompt asks a server for words; what it answers is a result, and rules nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, unquote

from mcp_types import Prompt, PromptArgument, Resource, ResourceTemplate

from tools.adapters.mcp.definitions import Described

Kind = Literal["tool", "resource", "template", "prompt"]
Schema = dict[str, Any]  # Any: JSON Schema nests

KINDS: tuple[Kind, ...] = ("resource", "template", "prompt")
LONGEST_VALUE = 1_000
READS = {"readOnlyHint": True}  # so the protocol says; which class it has is a person's word all the same

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


def split_name(name: str) -> tuple[Kind, str]:
    """Return what kind of thing a pinned name is of, and its own name or address there."""
    kind, colon, rest = name.partition(":")
    for known in KINDS:
        if colon and kind == known:
            return known, rest
    return "tool", name


def describe_resource(told: Resource) -> Described:
    """Return a resource as a tool without arguments."""
    return _describe("resource", told.uri, told, {}, ())


def describe_template(told: ResourceTemplate) -> Described:
    """Return a template as a tool whose arguments are its variables."""
    names = list(dict.fromkeys(_VARIABLE.findall(told.uri_template)))
    # A value of dots alone would lead elsewhere, however it is encoded.
    value = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE, "pattern": "[^.]"}
    return _describe("template", told.uri_template, told, dict.fromkeys(names, value), names)


def describe_prompt(told: Prompt) -> Described:
    """Return a prompt as a tool whose arguments are its own."""
    arguments = told.arguments or []
    required = [each.name for each in arguments if each.required]
    return _describe(
        "prompt", told.name, told, {each.name: _describe_argument(each) for each in arguments}, required
    )


def expand(template: str, values: Mapping[str, object]) -> str:
    """Return the address that a template leads to with these values, each within its place (RFC 6570, level 1)."""
    return _VARIABLE.sub(lambda found: quote(str(values[found[1]]), safe=""), template)


def match(template: str, address: str) -> dict[str, str] | None:
    """Return the values with which a template leads to an address, or None if none do."""
    pattern, seen, parts = "", set[str](), _VARIABLE.split(template)
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            pattern += _value_of(part, None if index == len(parts) - 2 else parts[index + 1])
            seen.add(part)
    found = re.fullmatch(pattern, address)
    return {name: unquote(value) for name, value in found.groupdict().items()} if found else None


def _value_of(name: str, follows: str | None) -> str:
    """Return the pattern of a value: up to what follows it, and for good.

    Tried again with every other length, a few values side by side would take a stranger's long address for ever.
    """
    if follows is None:
        return f"(?P<{name}>[^/?#&]+)"
    return f"(?>(?P<{name}>[^/?#&]+?)(?={re.escape(follows)}))"


def find_template_faults(name: str) -> list[str]:
    """Return why a template cannot be taken over: variables that are more than a name stay unfilled here."""
    kind, address = split_name(name)
    if kind == "template" and set("{}") & set(_VARIABLE.sub("", address)):
        return ["its address has variables of a kind that nothing fills in here"]
    return []


def _describe(
    kind: Kind,
    name: str,
    told: Resource | ResourceTemplate | Prompt,
    properties: Schema,
    required: list[str] | tuple[str, ...],
) -> Described:
    words = told.description or told.title or f"The {kind} {told.name}."
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return Described(f"{kind}:{name}", words, schema, None, dict(READS))


def _describe_argument(told: PromptArgument) -> Schema:
    words = {"description": told.description} if told.description else {}
    return {"type": "string", "maxLength": LONGEST_VALUE, **words}
