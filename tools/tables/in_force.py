"""Which version of a table decides at a moment. It is asked for anew each time; what was compiled is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from agentops.canonical import plain_digest
from agentops.errors import StateConflict
from tools.cache import BoundedCache
from tools.decisions.deciding import Decider, compile_definition
from tools.decisions.definitions import read_definition
from tools.decisions.schemas import argument_name

NO_DECISION = "no_decision"

_deciders: BoundedCache[tuple[UUID, str], Decider] = BoundedCache(200)

# The version that began last counts. A retired one still stands before those that began earlier: to take a table out
# of use is no way to bring older rules back.
_IN_FORCE = """
SELECT v.id, v.number, v.digest, v.state, d.slug
FROM tools_decisiontable d JOIN tools_decisiontableversion v ON v.table_id = d.id
WHERE d.id = %(table)s AND v.state <> 'draft'
    AND greatest(v.effective_from, v.published_at) <= %(now)s
    AND (v.effective_until IS NULL OR v.effective_until > %(now)s)
    AND (v.retired_at IS NULL OR v.retired_at >= greatest(v.effective_from, v.published_at))
ORDER BY greatest(v.effective_from, v.published_at) DESC, v.number DESC LIMIT 1
"""
_DEFINITION = "SELECT definition::text FROM tools_decisiontableversion WHERE id = %s"


@dataclass(frozen=True, slots=True)
class VersionInForce:
    """The version that decides."""

    slug: str
    number: int
    digest: str
    decider: Decider


def find_by_id(connection: psycopg.Connection[Any], table_id: UUID, now: datetime) -> VersionInForce | None:
    """Return the version in force of a table, None where there is none."""
    row = connection.execute(_IN_FORCE, {"table": table_id, "now": now}).fetchone()
    if row is None or row[3] != "published":
        return None
    version, number, digest, _, slug = row
    decider = _deciders.get_or_build((version, digest), lambda: _compile(connection, version, digest))
    return VersionInForce(slug, number, digest, decider)


def _compile(connection: psycopg.Connection[Any], version: UUID, digest: str) -> Decider:
    """Compile a version; raises StateConflict where it is not what was signed."""
    row = connection.execute(_DEFINITION, (version,)).fetchone()
    definition = None if row is None else json.loads(row[0])
    if plain_digest(definition) != digest:
        raise StateConflict("table_changed", "the rules of this table are not those that were published")
    return compile_definition(read_definition(definition))


def read_inputs(found: VersionInForce, arguments: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """Return a call's arguments under the names of the inputs; what is no input stays, to be refused."""
    names = {argument_name(each.name): each.name for each in found.decider.variables}
    return {names.get(name, name): value for name, value in arguments.items()}
