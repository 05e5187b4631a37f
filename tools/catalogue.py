"""Tool versions as the execution path sees them. A version never changes, so a spec is built once per process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine.breaker import BreakerSettings
from agentops.errors import NotFound
from tools.cache import BoundedCache
from tools.calls import ToolSpec
from tools.previews.declaration import read_preview
from tools.provenance.declaration import read_declaration
from tools.resolvers.declaration import read_resolvers

_specs: BoundedCache[UUID, ToolSpec] = BoundedCache(2_000)

_QUERY = """
SELECT v.id, t.id, t.name, v.number, v.description, v.input_schema, v.output_schema, v.effect, v.idempotency,
    v.timeout_s, v.max_attempts, v.backoff_base_s, v.backoff_cap_s, v.breaker, v.on_breaker_open, v.on_unknown,
    v.adapter, v.config, v.dedupe_on, v.dedupe_window_s, v.digest, v.statement, v.amount_argument, v.currency,
    v.bound, v.provenance, v.resolvers, v.undo, v.max_concurrency, v.preview
FROM tools_toolversion v JOIN tools_tool t ON t.id = v.tool_id WHERE v.id = %s
"""

_LATEST = """
SELECT DISTINCT ON (t.name) t.name, v.id FROM tools_tool t JOIN tools_toolversion v ON v.tool_id = t.id
WHERE t.team_id = %s AND t.name = ANY(%s) AND t.state = 'active' ORDER BY t.name, v.number DESC
"""


def read_spec(version_id: UUID) -> ToolSpec:
    """Return a tool version; raises NotFound."""
    return _specs.get_or_build(version_id, lambda: _load(version_id))


def _load(version_id: UUID) -> ToolSpec:
    with borrowed() as connection:
        row = connection.execute(_QUERY, (version_id,)).fetchone()
    if row is None:
        raise NotFound("unknown_tool_version", f"there is no tool version {version_id}")
    declared = read_declaration(row[2], row[25])
    values: tuple[Any, ...] = (
        *row[:13], BreakerSettings(**row[13]), *row[14:18], tuple(row[18]), *row[19:25], declared,
        read_resolvers(row[26]), row[27], row[28],
        read_preview(row[29], row[23]),
    )  # fmt: skip
    return ToolSpec(*values)


def read_latest(team: UUID, names: Iterable[str]) -> dict[str, ToolSpec]:
    """Return, by name, the versions in service of a team's tools; those that are not in service are absent."""
    with borrowed() as connection:
        rows = connection.execute(_LATEST, (team, sorted(set(names)))).fetchall()
    return {name: read_spec(version) for name, version in rows}
