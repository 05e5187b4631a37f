"""JSON Schemas of what a definition asks for and answers, for those who call it as a tool."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tools.decisions.answers import write_json
from tools.decisions.building import constants_of
from tools.decisions.deciding import Decider
from tools.decisions.errors import InvalidTable, Problem
from tools.decisions.feel.matching import Cell
from tools.decisions.feel.values import FeelType
from tools.decisions.tables import Variable

Schema = dict[str, Any]  # Any: JSON Schema nests

_KINDS: Mapping[FeelType, Schema] = {
    FeelType.NUMBER: {"type": "number"},
    FeelType.STRING: {"type": "string"},
    FeelType.BOOLEAN: {"type": "boolean"},
    FeelType.DATE: {"type": "string", "format": "date"},
    FeelType.TIME: {"type": "string", "description": "A time, such as 09:30:00 or 09:30:00+01:00."},
    FeelType.DATE_TIME: {"type": "string", "description": "A date and time, such as 2026-11-28T09:30:00Z."},
    FeelType.DAYS_TIME: {"type": "string", "description": "A duration, such as P3DT12H."},
    FeelType.YEARS_MONTHS: {"type": "string", "description": "A duration, such as P1Y6M."},
    FeelType.ANY: {"type": ["string", "number", "boolean"]},
}


def argument_name(name: str) -> str:
    """Return an input's name as models can write it: days since purchase is days_since_purchase."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64]


def input_schema(decider: Decider) -> Schema:
    """Return the schema of the inputs; raises InvalidTable for two inputs that models could not tell apart."""
    allowed = dict(_allowed(decider))
    return _object(decider.variables, lambda each: _asked(each, allowed.get(each.name)))


def output_schema(decider: Decider) -> Schema:
    """Return the schema of what the tool answers."""
    row = {
        "type": "object",
        "properties": {each.name: _or_null(_KINDS[each.type]) for each in decider.outputs},
        "required": [each.name for each in decider.outputs],
        "additionalProperties": False,
    }
    outputs = {"type": "array", "items": row} if decider.is_list else row
    told: Schema = {"table": {"type": "string"}, "version": {"type": "integer"}, "digest": {"type": "string"}}
    return {
        "type": "object",
        "properties": {"outputs": outputs, **told, "trace": {"type": "array"}},
        "required": ["outputs", *told, "trace"],
        "additionalProperties": False,
    }


def _allowed(decider: Decider) -> Iterator[tuple[str, Cell]]:
    """Yield what the columns allow of a variable, where the table that asks for it stands alone."""
    if decider.model is None:
        for _, table in decider.tables:
            yield from (
                (each.clause.expression, each.allowed) for each in table.conditions if each.clause.allowed
            )


def _object(variables: tuple[Variable, ...], write: Any) -> Schema:  # Any: a function of a variable
    properties = {argument_name(each.name): write(each) for each in variables}
    if len(properties) < len(variables) or not all(properties):
        raise InvalidTable([Problem("inputs", "two of them read the same once signs are written as _")])
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _asked(variable: Variable, allowed: Cell | None) -> Schema:
    if variable.fields:
        # Names of fields are given as they are: the engine refuses what it does not know.
        return {"type": "object", "required": [each.name for each in variable.fields]}
    kind = _KINDS[variable.type]
    if allowed is None:
        return _or_null(kind)
    listed = [write_json(value) for value in constants_of(allowed.tests)]
    return {**kind, "enum": listed} if listed else dict(kind)


def _or_null(kind: Schema) -> Schema:
    types = kind["type"] if isinstance(kind["type"], list) else [kind["type"]]
    return {**kind, "type": [*types, "null"]}
