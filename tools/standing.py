"""Reading, at the moment of a call and in one statement, everything that its policy depends on.

Nothing here is cached: a revocation committed a moment ago is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from agentops.errors import ValidationFailed
from tools.caps import parse_caps, windows_of
from tools.policy import Actors, GrantTerms, Standing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STANDING_TEMPLATE = """
SELECT i.state, i.expires_at, account.is_active AND account.kind = 'agent',
    (SELECT a.state = 'active' FROM identities_application a WHERE a.id = %(application)s),
    t.state, t.forced_open_at IS NOT NULL,
    EXISTS (SELECT 1 FROM tools_tooluserobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
        WHERE p.user_id = i.service_account_id AND p.content_object_id = t.id AND c.codename = 'use_tool'),
    g.id, g.version, g.decision, g.caps, g.over_caps, g.approval_ttl_s, g.valid_until,
    g.waived_by_id IS NOT NULL AND g.countersigned_by_id IS NOT NULL, g.waiver_expires_at, {seen},
    (SELECT u.is_active FROM identities_user u WHERE u.id = %(started_by)s)
FROM identities_agentidentity i
JOIN identities_user account ON account.id = i.service_account_id
JOIN tools_tool t ON t.id = %(tool)s
LEFT JOIN tools_toolgrant g ON g.identity_id = i.id AND g.tool_id = t.id AND g.state = 'active'
WHERE i.id = %(identity)s
"""
# What the idempotency ledger holds under this key, and the latest like effect under another.
_SEEN = """(SELECT json_agg(seen) FROM (
    SELECT key, args_digest, state, stream_id, outcome_seq FROM tools_effectrecord WHERE key = %(key)s
    UNION ALL
    (SELECT key, args_digest, state, stream_id, outcome_seq FROM tools_effectrecord
     WHERE dedupe_digest = %(dedupe)s AND dedupe_digest <> '' AND key <> %(key)s AND state <> 'failed'
       AND started_at > %(since)s ORDER BY started_at DESC LIMIT 1)) AS seen)"""
_STANDING_OF_READ = _STANDING_TEMPLATE.format(seen="NULL")
_STANDING_OF_WRITE = _STANDING_TEMPLATE.format(seen=_SEEN)
# How those stand by whose authority a run acts, in one value that can be compared with what was seen before;
# times as microseconds, because a text would depend on the session's time zone.
ACTORS_AS_SEEN = """
SELECT jsonb_build_array(i.state, (extract(epoch FROM i.expires_at) * 1000000)::bigint,
    account.is_active AND account.kind = 'agent',
    (SELECT a.state = 'active' FROM identities_application a WHERE a.id = {application}),
    (SELECT u.is_active FROM identities_user u WHERE u.id = {initiator}))
FROM identities_agentidentity i JOIN identities_user account ON account.id = i.service_account_id
WHERE i.id = {identity}
"""
_ACTORS = ACTORS_AS_SEEN.format(application="%s", initiator="%s", identity="%s")
_USED = """
SELECT "window", used_count, used_amount FROM tools_capusage
WHERE identity_id = %s AND tool_id = %s AND "window" = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class SeenEffect:
    """An effect that the idempotency ledger knows already."""

    key: str
    args_digest: str
    state: str
    stream: UUID
    outcome_seq: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """Whose standing is asked for, and which effects would be repeated; ``key`` is empty for a read."""

    identity_id: UUID
    tool_id: UUID
    application_id: UUID | None
    run_id: UUID
    now: datetime
    key: str
    dedupe_digest: str
    dedupe_since: datetime
    started_by_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The standing, whether a person has forced the breaker open, and the effects that are known already."""

    standing: Standing
    forced_open: bool
    seen: tuple[SeenEffect, ...] = ()


def read_standing(connection: psycopg.Connection[Any], question: Question) -> Answer:
    """Return everything that the decision about one call depends on."""
    values = {
        "identity": question.identity_id,
        "tool": question.tool_id,
        "application": question.application_id,
        "key": question.key,
        "dedupe": question.dedupe_digest,
        "since": question.dedupe_since,
        "started_by": question.started_by_id,
    }
    query = _STANDING_OF_WRITE if question.key else _STANDING_OF_READ
    row = connection.execute(query, values).fetchone()
    if row is None:
        return Answer(Standing("unknown", None, False, None, "unknown", None, False), False)
    grant = None if row[7] is None else _read_terms(row[7:16])
    used = _read_used(
        connection, question.identity_id, question.tool_id, grant, question.run_id, question.now
    )
    seen = tuple(
        SeenEffect(e["key"], e["args_digest"], e["state"], UUID(e["stream_id"]), e["outcome_seq"])
        for e in row[16] or ()
    )
    standing = Standing(row[0], row[1], row[2], row[3], row[4], grant, row[6], used, initiator_active=row[17])
    return Answer(standing, row[5], seen)


def _read_terms(row: tuple[Any, ...]) -> GrantTerms:
    """Return the terms of a grant. Raises ValueError for caps that cannot be read: they would cap nothing."""
    grant_id, version, decision, rows, *rest = row
    try:
        caps = parse_caps(rows)
    except ValidationFailed as error:
        raise ValueError(f"grant {grant_id}: {error.detail}") from error
    if decision == "ALLOW_WITH_CAPS" and not caps:
        raise ValueError(f"grant {grant_id}: there are no caps")
    return GrantTerms(grant_id, version, decision, caps, *rest)


def read_actors(
    connection: psycopg.Connection[Any],
    identity_id: UUID,
    application_id: UUID | None,
    started_by_id: UUID | None,
) -> list[Any]:  # Any: a JSON array
    """Return how those stand by whose authority a run acts: ``ACTORS_AS_SEEN``, for ``actors_of``."""
    row = connection.execute(_ACTORS, (application_id, started_by_id, identity_id)).fetchone()
    return ["unknown", None, False, None, None] if row is None else list(row[0])


def actors_of(seen: list[Any]) -> Actors:  # Any: a JSON array
    """Return what was seen of the actors in the policy's terms."""
    state, expires_us, account, application, initiator = seen
    expires_at = None if expires_us is None else _EPOCH + timedelta(microseconds=expires_us)
    return Actors(state, expires_at, account, application, initiator_active=initiator)


def _read_used(
    connection: psycopg.Connection[Any],
    identity_id: UUID,
    tool_id: UUID,
    grant: GrantTerms | None,
    run_id: UUID,
    now: datetime,
) -> dict[str, tuple[int, Decimal]]:
    windows = windows_of(grant.caps, run_id, now) if grant else []
    if not windows:
        return {}
    rows = connection.execute(_USED, (identity_id, tool_id, windows)).fetchall()
    return {window: (count, amount) for window, count, amount in rows}
