"""Whether the table that a tool or a grant names is there, in force, and asks for what it will be given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils import timezone

from identities.models import Team
from tools.bindings import find_binding_faults
from tools.decisions.deciding import Decider, compile_definition
from tools.decisions.definitions import read_definition
from tools.decisions.errors import InvalidTable
from tools.decisions.schemas import input_schema, output_schema
from tools.models import DecisionTable, DecisionTableVersion, Effect
from tools.services.definition import ToolDefinition
from tools.tables.policies import VERDICT, is_known_input


def find_table_faults(team: Team, definition: ToolDefinition) -> Iterator[str]:
    """Yield what has to be put right in a tool's definition, worded as "where: what"."""
    yield from find_binding_faults(definition.bound, definition.input_schema.get("properties") or {})
    if definition.adapter != "decision" or not isinstance(definition.config.get("table"), str):
        return
    if definition.effect != Effect.READ:
        yield "effect: a decision changes nothing, it is a read"
    decider = decider_of(team, definition.config["table"])
    if decider is None:
        yield "config: name as table the slug of one of the team that has a version in force"
        return
    try:
        asked = input_schema(decider)
    except InvalidTable as error:
        yield f"config: {error.detail}"
        return
    if set(definition.input_schema.get("properties") or {}) != set(asked["properties"]):
        yield f"input_schema: the table asks for {', '.join(asked['properties'])}"


def find_policy_faults(team: Team, table_id: UUID) -> Iterator[str]:
    """Yield what keeps a table from deciding about calls, worded as "where: what"."""
    decider = _decider(DecisionTable.objects.filter(team=team, pk=table_id).first())
    if decider is None:
        yield "policy_table: name a decision table of the team that has a version in force"
        return
    unknown = [each.name for each in decider.variables if not is_known_input(each.name)]
    if unknown:
        yield f"policy_table: nobody will tell it {', '.join(unknown)}"
    if decider.is_list or VERDICT not in {each.name for each in decider.outputs}:
        yield f"policy_table: it needs one answer, with an output named {VERDICT}"


def derive_schemas(team: Team, slug: str) -> dict[str, Any]:  # Any: JSON Schema nests
    """Return the schemas of a tool that asks a table; none where no version of it is in force."""
    decider = decider_of(team, slug)
    if decider is None:
        return {}
    return {"input_schema": input_schema(decider), "output_schema": output_schema(decider)}


def decider_of(team: Team, slug: str) -> Decider | None:
    """Return what decides by a table now."""
    return _decider(DecisionTable.objects.filter(team=team, slug=slug).first())


def _decider(table: DecisionTable | None) -> Decider | None:
    if table is None:
        return None
    version = table.versions.begun(timezone.now()).first()
    if version is None or version.state != DecisionTableVersion.State.PUBLISHED:
        return None
    return compile_definition(read_definition(version.definition))
