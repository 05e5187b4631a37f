"""A tool as an MCP server describes it: what of it is pinned, what may be taken over, and what of it has changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from agentops.canonical import plain_digest
from agentops.errors import ValidationFailed
from tools.schemas import check_schema

LONGEST_NAME = 128  # of the protocol's own recommendation (SEP-986)
LONGEST_DESCRIPTION = 4_000
ONLY_FOR_PEOPLE = ("notes", "proposed")  # of an operation of a document: our words about it
ONLY_AS_TASK = "taskSupport"  # among the annotations, and only of a tool that cannot be called otherwise
MILDEST_FIRST = ("read", "reversible", "irreversible")


@dataclass(frozen=True, slots=True)
class Described:
    """What a server says about one of its tools; all of it comes from a stranger."""

    name: str
    description: str
    input_schema: dict[str, Any]  # Any: JSON Schema nests
    output_schema: dict[str, Any] | None
    annotations: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """Name this very description. Raises ValidationFailed for what is no exact JSON."""
        return plain_digest(self.values())


def find_faults(described: Described) -> list[str]:
    """Return why a tool cannot be taken over; empty if it can."""
    faults = []
    if not 0 < len(described.name) <= LONGEST_NAME or not described.name.isprintable():
        faults.append(f"its name is not a text of 1 to {LONGEST_NAME} characters")
    if not 0 < len(described.description.strip()) <= LONGEST_DESCRIPTION:
        faults.append(f"its description is missing, or longer than {LONGEST_DESCRIPTION} characters")
    if described.annotations.get(ONLY_AS_TASK) == "required":
        faults.append("it can be called as a task of 2025-11-25 only, and is never done otherwise")
    faults += [f"input schema {p.path}: {p.message}" for p in check_schema(described.input_schema)]
    if described.output_schema is not None:
        output = check_schema(described.output_schema, object_root=False)
        faults += [f"output schema {p.path}: {p.message}" for p in output]
    return faults or _find_inexact(described)


def tighten_effect(effect: str, annotations: Mapping[str, Any]) -> str:
    """Return the stricter of what a person chose and what the server admits.

    A server is believed where it accuses itself and nowhere else: `readOnlyHint: true` makes nothing milder.
    """
    floor = "read"
    if annotations.get("readOnlyHint") is False:
        floor = "reversible"
    if annotations.get("destructiveHint") is True and annotations.get("readOnlyHint") is not True:
        floor = "irreversible"
    return max(effect, floor, key=MILDEST_FIRST.index)


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what differs between two descriptions as (where, before, after), for people."""
    return [
        (part.replace("_", " "), _text(before.get(part)), _text(after.get(part)))
        for part in dict.fromkeys([*Described.__dataclass_fields__, *before, *after])
        if part not in ONLY_FOR_PEOPLE and before.get(part) != after.get(part)
    ]


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


def _find_inexact(described: Described) -> list[str]:
    try:
        described.digest  # noqa: B018  it is whether there is one
    except ValidationFailed as error:
        return [error.detail]
    return []
