"""What a tool may ask in the middle of a call: the forms that a person declared when they took it over, and no others.

The answers are arguments like others: described by a schema, assessed, approved with the call, and on the record. So a
stranger's own words are never put to anybody, and nothing goes to it that nobody has looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]  # Any: JSON nests

ANSWERS = "answers"  # the argument that holds them, by the name of the form
MOST_FORMS, MOST_FIELDS = 10, 20

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KINDS = frozenset(
    {"string", "number", "integer", "boolean"}
)  # of a field: the protocol's forms have no others
_OF_FORM = frozenset({"type", "description", "properties", "required"})


def find_form_faults(asks: object) -> list[str]:
    """Return what has to be put right in declared forms, worded as remedies."""
    if not isinstance(asks, dict) or not 0 < len(asks) <= MOST_FORMS:
        return [f"set asks to an object of at most {MOST_FORMS} forms by their names"]
    return [fault for name, form in asks.items() for fault in _find_faults(name, form)]


def _find_faults(name: str, form: object) -> list[str]:
    if not _NAME.fullmatch(name):
        return [f"name the form {name[:64]!r} as the server does, in at most 64 letters, digits, _ . or -"]
    if not isinstance(form, dict) or form.get("type") != "object" or not form.keys() <= _OF_FORM:
        return [f"make asks.{name} a JSON Schema of an object: type, description, properties, required"]
    faults = (
        [] if _is_text(form.get("description")) else [f"say in the description of asks.{name} what is asked"]
    )
    fields = form.get("properties")
    if not isinstance(fields, dict) or not 0 < len(fields) <= MOST_FIELDS:
        return [*faults, f"give asks.{name} 1 to {MOST_FIELDS} properties"]
    bad = [key for key, field in fields.items() if not _is_plain(field)]
    faults += [f"make {key} of asks.{name} one of {', '.join(sorted(_KINDS))}" for key in bad]
    required = form.get("required", [])
    if not isinstance(required, list) or not all(isinstance(key, str) and key in fields for key in required):
        faults.append(f"let required of asks.{name} list properties of it")
    return faults


def _is_plain(field: object) -> bool:
    kind = field.get("type") if isinstance(field, dict) else None
    return isinstance(kind, str) and kind in _KINDS


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def add_answers(schema: JsonObject, asks: Mapping[str, JsonObject]) -> JsonObject:
    """Return a tool's input schema with the argument for the answers."""
    forms = {name: {**form, "additionalProperties": False} for name, form in asks.items()}
    told = "What the tool asks before it does anything; may be given at once."
    answers = {"type": "object", "description": told, "properties": forms, "additionalProperties": False}
    return {**schema, "properties": {**schema.get("properties", {}), ANSWERS: answers}}


def take_answers(asks: Mapping[str, JsonObject], arguments: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return a call's arguments as the server takes them, and the answers."""
    if not asks:
        return arguments, {}
    return {name: value for name, value in arguments.items() if name != ANSWERS}, arguments.get(ANSWERS, {})
