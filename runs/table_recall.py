"""The recorded calls about which a decision table was asked, with what they said."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from agentops.errors import ValidationFailed
from agentops.ledger.store import Cursor
from runs.decided import find_proposed
from runs.lookups.resolving import read_resolved
from tools.amounts import read_amount
from tools.calls import Call, ToolSpec
from tools.catalogue import read_spec
from tools.models import DecisionTable

Json = Any  # what the ledger's content holds

# The newest calls of each version are a range of the index ``call_by_tool``; only of those is the ledger read.
_PICKED = """
WITH picked AS MATERIALIZED (
    SELECT c.*, i.id AS agent, i.name, p.issuer, p.subject FROM (
        SELECT v.id, v.tool_id FROM tools_tool t JOIN tools_toolversion v ON v.tool_id = t.id WHERE {versions}) AS v
    CROSS JOIN LATERAL (
        SELECT c.*, r.identity_id, r.principal_id FROM runs_tool_call c JOIN runs_run r ON r.id = c.run_id
        WHERE c.tool_version_id = v.id AND c.proposed_at > %(since)s AND {calls}
        ORDER BY c.proposed_at DESC LIMIT %(most)s) AS c
    JOIN identities_agentidentity i ON i.id = c.identity_id JOIN identities_principal p ON p.id = c.principal_id
    ORDER BY c.proposed_at DESC, c.run_id DESC, c.step DESC, c.number DESC LIMIT %(most)s)
SELECT c.run_id, c.step, c.number, c.proposed_at, c.tool_version_id, c.state, c.code, c.decided_seq, c.outcome_seq,
    c.agent, c.name, c.issuer, c.subject, decided.kind, decided.content, outcome.content
FROM picked c
LEFT JOIN ledger_entry decided ON decided.stream = c.run_id AND decided.seq = c.decided_seq
LEFT JOIN ledger_entry outcome ON outcome.stream = c.run_id AND outcome.seq = c.outcome_seq
"""
_ASKED = _PICKED.format(
    versions="t.team_id = %(team)s AND v.adapter = 'decision' AND v.config ->> 'table' = %(slug)s",
    calls="c.state IN ('succeeded', 'failed')",
)
_GRANTS = "SELECT {column} FROM tools_toolgrant WHERE policy_table_id = %(table)s AND state = 'active'"
_JUDGED = _PICKED.format(
    versions=f"t.id IN ({_GRANTS.format(column='tool_id')})",
    calls="c.code <> 'invalid_arguments' AND (v.tool_id, r.identity_id) IN "  # of those no table is asked
    f"({_GRANTS.format(column='tool_id, identity_id')})",
)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A call as it was made; ``arguments`` are None where they were erased, ``answer`` where there was none.

    The answer of a call that failed is its code.
    """

    spec: ToolSpec
    run_id: UUID
    step: int
    number: int
    at: datetime
    agent: tuple[UUID, str]
    principal: tuple[str, str]
    arguments: dict[str, Json] | None
    answer: Json = None

    def as_made(self) -> Call:
        """Return the call as policies are told of it."""
        arguments = self.arguments or {}
        return Call(
            self.spec, arguments, f"{self.run_id}:again", 1, self.run_id, *self.agent, *self.principal, traceparent=""
        )  # fmt: skip

    @property
    def amount(self) -> Decimal | None:
        """Return what it would have moved, None where it says nothing of that."""
        if self.arguments is None or not self.spec.amount_argument:
            return None
        try:
            return read_amount(self.arguments, self.spec.amount_argument)
        except ValidationFailed:
            return None


def recall_asked(cursor: Cursor, table: DecisionTable, since: datetime, most: int) -> list[Recalled]:
    """Return the newest calls of tools that pass the answers of a table on."""
    values = {"team": table.team_id, "slug": table.slug, "since": since, "most": most}
    return [_recall(cursor, *row) for row in cursor.execute(_ASKED, values).fetchall()]


def recall_judged(cursor: Cursor, table: DecisionTable, since: datetime, most: int) -> list[Recalled]:
    """Return the newest calls of agents whose grants have a table asked about them."""
    values = {"table": table.pk, "since": since, "most": most}
    return [_recall(cursor, *row) for row in cursor.execute(_JUDGED, values).fetchall()]


def _recall(
    cursor: Cursor, run: UUID, step: int, number: int, at: datetime, version: UUID, state: str, code: str,
    decided_seq: int | None, outcome_seq: int | None, agent: UUID, name: str, issuer: str, subject: str,
    kind: str | None, content: str | None, outcome: str | None,
) -> Recalled:  # fmt: skip
    spec = read_spec(version)
    proposed = find_proposed((kind, _read(content)) if kind else None, number)
    arguments = proposed["arguments"] if proposed else None
    if arguments is not None and spec.resolvers:
        between = (decided_seq or 0, outcome_seq or 0)
        arguments = read_resolved(cursor, run, between, number, arguments)
    answer = code if state == "failed" else _outputs(_read(outcome))
    return Recalled(spec, run, step, number, at, (agent, name), (issuer, subject), arguments, answer)


def _read(content: str | None) -> Json:
    return json.loads(content) if content else None


def _outputs(result: Json) -> Json:
    value = result.get("value") if isinstance(result, dict) else None
    return value.get("outputs") if isinstance(value, dict) else None
