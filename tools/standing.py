"""Reading, at the moment of a call, everything that its policy depends on: in one statement where no cap and no
waiver asks for more.

What was seen is a text that the append compares with how things stand then, before an attempt goes out: what was
committed a moment ago counts, whenever it was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import psycopg

from agentops.database import Prepared
from agentops.errors import ValidationFailed
from tools.authority import Actors, Bound, GrantTerms, Limits, Parent, Standing, WaiverTerms
from tools.caps import Whose, locate_windows, parse_caps, windows_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times as microseconds, because a text would depend on the session's time zone.
_MICROSECONDS = "(extract(epoch FROM {0}) * 1000000)::bigint"
# An end, and whether it has come: the text changes with the clock, too.
_END = f"{_MICROSECONDS}, {{0}} <= clock_timestamp()"
# Which kill switch stops this run, if any: whoever throws one stops it with that commit.
_SWITCH = """(SELECT min(k.scope) FROM identities_killswitch k WHERE k.lifted_at IS NULL AND (k.scope = 'everything'
    OR k.scope = 'principal' AND k.target = {principal}::text OR k.scope = 'provider' AND k.target = {provider}
    OR k.scope = 'credential' AND k.target = {credential}::text))"""
# How an agent stands.
_AGENT = f"""{{i}}.state, {_END.format("{i}.expires_at")},
    (SELECT u.is_active AND u.kind = 'agent' FROM identities_user u WHERE u.id = {{i}}.service_account_id)"""  # noqa: S608  constants only
# Whether its account may use the tool at all, and on which terms.
_GRANTED = f"""coalesce((SELECT true FROM tools_tooluserobjectpermission p
        JOIN auth_permission c ON c.id = p.permission_id
        WHERE p.user_id = {{i}}.service_account_id AND p.content_object_id = t.id AND c.codename = 'use_tool' LIMIT 1),
        false),
    CASE WHEN {{g}}.id IS NOT NULL THEN json_build_array({{g}}.id, {{g}}.version, {{g}}.decision, {{g}}.caps,
        {{g}}.over_caps, {{g}}.approval_ttl_s, {_END.format("{g}.valid_until")},
        CASE WHEN {{g}}.waived_by_id IS NOT NULL AND {{g}}.countersigned_by_id IS NOT NULL THEN json_build_array(
            {{g}}.waived_by_id, {{g}}.countersigned_by_id, {{g}}.waived_version_digest,
            {_END.format("{g}.waiver_expires_at")},
            (SELECT count(*) FROM identities_user u WHERE u.id IN ({{g}}.waived_by_id, {{g}}.countersigned_by_id)
                AND u.is_active AND u.kind = 'person') = 2) END, {{g}}.policy_table_id, {{g}}.veto_s,
        {{g}}.confirmation) END"""  # noqa: S608  constants only
# The agents on whose behalf a run acts, the nearest first. Who they are was fixed when it started.
_PARENTS = """CASE WHEN {{line}} <> '[]' THEN (
    SELECT json_agg(json_build_array(pa.name, {what}) ORDER BY l.place)
    FROM jsonb_array_elements({{line}}) WITH ORDINALITY AS l(link, place)
    JOIN identities_agentidentity pa ON pa.id = (l.link ->> 'identity')::uuid{more}) END"""
_PARENT_ACTORS = _PARENTS.format(what=_AGENT.format(i="pa"), more="")
_PARENTS_GRANTED = _PARENTS.format(
    what=f"{_AGENT.format(i='pa')}, {_GRANTED.format(i='pa', g='pg')}",
    more="\n    LEFT JOIN tools_toolgrant pg ON pg.identity_id = pa.id AND pg.tool_id = t.id AND pg.state = 'active'",
)
# What may be done on behalf of this end user, and of all of them.
_FOR_USER = """(SELECT json_agg(json_build_array(x.decision, x.caps, x.over_caps) ORDER BY x.id)
    FROM tools_userterms x WHERE x.tool_id = t.id AND x.ended_at IS NULL
        AND (x.principal_id IS NULL OR x.principal_id = {principal}))"""
STANDING_AS_SEEN = f"""
SELECT json_build_array({_AGENT.format(i="i")},
    (SELECT a.state = 'active' FROM identities_application a WHERE a.id = {{application}}),
    (SELECT u.is_active FROM identities_user u WHERE u.id = {{initiator}}), {_SWITCH},
    t.state, t.forced_open_at IS NOT NULL, {_GRANTED.format(i="i", g="g")}, {_FOR_USER},
    {_PARENTS_GRANTED})::text{{more}}
FROM identities_agentidentity i
JOIN tools_tool t ON t.id = {{tool}}
LEFT JOIN tools_toolgrant g ON g.identity_id = i.id AND g.tool_id = t.id AND g.state = 'active'
WHERE i.id = {{identity}}
"""  # noqa: S608  constants only
# What the idempotency ledger holds under this key, and the latest like effect under another.
SEEN_EFFECTS = """(SELECT json_agg(seen) FROM (
    SELECT key, args_digest, state, stream_id, outcome_seq FROM tools_effectrecord WHERE key = $9
    UNION ALL
    (SELECT key, args_digest, state, stream_id, outcome_seq FROM tools_effectrecord
     WHERE dedupe_digest = $10 AND dedupe_digest <> '' AND key <> $9 AND state <> 'failed'
       AND started_at > $11::timestamptz ORDER BY started_at DESC LIMIT 1)) AS seen)"""
_WHOSE = {
    "identity": "$1::uuid",
    "tool": "$2::uuid",
    "application": "$3::uuid",
    "initiator": "$4::uuid",
    "principal": "$5::uuid",
    "provider": "$6",
    "line": "$7::jsonb",
    "credential": "$8::uuid",
}
_STANDING_OF_READ = Prepared(STANDING_AS_SEEN.format(more=", NULL", **_WHOSE))
_STANDING_OF_WRITE = Prepared(STANDING_AS_SEEN.format(more=f", {SEEN_EFFECTS}::text", **_WHOSE))
# How those stand by whose authority a run acts, in one value that can be compared with what was seen before.
ACTORS_AS_SEEN = f"""
SELECT jsonb_build_array({_AGENT.format(i="i")},
    (SELECT a.state = 'active' FROM identities_application a WHERE a.id = {{application}}),
    (SELECT u.is_active FROM identities_user u WHERE u.id = {{initiator}}), {_SWITCH}, {_PARENT_ACTORS})
FROM identities_agentidentity i
WHERE i.id = {{identity}}
"""  # noqa: S608  constants only
_ACTORS = ACTORS_AS_SEEN.format(
    application="%(application)s", initiator="%(initiator)s", identity="%(identity)s", principal="%(principal)s::uuid",
    provider="%(provider)s", line="%(line)s::jsonb", credential="%(credential)s::uuid",
)  # fmt: skip
# A row alone waives nothing: each signer has an entry of their own in the agent's stream, which nobody can take out.
# A statement of its own, for few calls are waived, and the ledger's partitions cost even where nothing is read.
_SIGNED = """
SELECT EXISTS (SELECT 1 FROM ledger_entry s JOIN ledger_entry e ON e.stream = s.stream AND e.seq > s.seq
        AND e.facts -> 'waiver' ->> 'digest' = s.facts ->> 'digest'
    WHERE s.stream = g.identity_id AND s.kind = 'waiver.signed' AND s.actor = g.waived_by_id
        AND e.kind = 'grant.set' AND e.actor = g.countersigned_by_id
        AND e.facts ->> 'grant' = g.id::text AND e.facts -> 'caps' = g.caps
        AND e.facts -> 'waiver' ->> 'tool_version' = g.waived_version_digest
        AND (e.facts -> 'waiver' ->> 'expires_at')::timestamptz = g.waiver_expires_at)
FROM tools_toolgrant g WHERE g.id = %s
"""
_USED = """
SELECT c.place, u.used_count, u.used_amount
FROM unnest(%(identities)s::uuid[], %(windows)s::text[]) WITH ORDINALITY AS c(identity_id, "window", place)
JOIN tools_capusage u USING (identity_id, "window") WHERE u.tool_id = %(tool)s
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
class Link:
    """A run on whose behalf another acts: its agent, and what it was started with."""

    run_id: UUID
    identity_id: UUID
    limits: Limits | None


@dataclass(frozen=True, slots=True)
class Authority:
    """By whose authority a run acts, beside its agent's, and whose model tells it what to do.

    ``limits`` are what it was started with; ``line`` are the runs on whose behalf it acts, the nearest first;
    ``credential_id`` is the API key with which it was started.
    """

    application_id: UUID | None
    started_by_id: UUID | None
    principal_id: UUID
    provider: str
    limits: Limits | None = None
    line: tuple[Link, ...] = ()
    credential_id: UUID | None = None

    @property
    def line_as_json(self) -> str:
        """Return the line as the statements take it."""
        return orjson.dumps([{"identity": link.identity_id} for link in self.line]).decode()


@dataclass(frozen=True, slots=True)
class Question:
    """Whose standing is asked for, and which effects would be repeated; ``key`` is empty for a read."""

    identity_id: UUID
    tool_id: UUID
    authority: Authority
    run_id: UUID
    now: datetime
    key: str
    dedupe_digest: str
    dedupe_since: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """The standing, whether a person has forced the breaker open, and the effects that are known already.

    ``text`` is what the database said; the append compares it. ``key`` is the one that was looked up. ``counted``:
    windows of caps were looked at, which the text does not tell.
    """

    standing: Standing
    forced_open: bool
    seen: tuple[SeenEffect, ...] = ()
    text: str = ""
    key: str = ""
    counted: bool = False

    @property
    def may_be_kept(self) -> bool:
        """Whether the text says all that the decision about another call depends on."""
        grants = self.standing.grant, *(parent.grant for parent in self.standing.parents)
        return not (self.seen or self.counted) and all(
            grant is not None and not grant.caps and grant.waiver is None for grant in grants
        )


UNKNOWN = Answer(Standing("unknown", None, False, None, "unknown", None, False), False)


def read_standing(connection: psycopg.Connection[Any], question: Question) -> Answer:
    """Return everything that the decision about one call depends on."""
    rows = _ask(connection, question)
    if not rows:
        return UNKNOWN
    text, seen = rows[0]
    answer = read_answer(connection, question, text, seen)
    windows = sorted(set(list_windows(question, answer.standing)))
    standing = replace(answer.standing, used=_read_used(connection, question, windows))
    return replace(answer, standing=standing, counted=bool(windows))


def read_answer(
    connection: psycopg.Connection[Any], question: Question, text: str, seen: str | None
) -> Answer:
    """Return what the database said, but for what is used of windows."""
    *actors, tool_state, forced_open, guarded, terms, for_user, parents = orjson.loads(text)
    grant = None if terms is None else _read_terms(connection, *terms)
    state, expires_us, _, account, application, initiator, switch = actors
    standing = Standing(
        state, _moment(expires_us), account, application, tool_state, grant, guarded,
        initiator_active=initiator, switch=switch, for_user=tuple(_read_bound(*row) for row in for_user or ()),
        parents=_read_parents(connection, question.authority.line, parents or []),
    )  # fmt: skip
    known = tuple(_read_seen(**effect) for effect in (orjson.loads(seen) if seen else ()))
    return Answer(standing, forced_open, known, text, question.key)


def _read_parents(
    connection: psycopg.Connection[Any], line: Sequence[Link], seen: Sequence[Sequence[Any]]
) -> tuple[Parent, ...]:
    """Return the parents with their grants. Raises ValueError when one of them is missing: nobody stands for it."""
    return tuple(
        replace(
            parent_of(link, row[:-2]),
            guarded=row[-2],
            grant=None if row[-1] is None else _read_terms(connection, *row[-1]),
        )
        for link, row in zip(line, seen, strict=True)
    )


def parent_of(link: Link, seen: Sequence[Any]) -> Parent:
    """Return a parent as it stands, its grants left out."""
    name, state, expires_us, _, account = seen
    return Parent(
        link.run_id, link.identity_id, name, state, _moment(expires_us), account, limits=link.limits
    )


def _read_bound(decision: str, caps: Any, over_caps: str) -> Bound:  # Any: JSON
    try:
        return Bound(decision, parse_caps(caps), over_caps)
    except ValidationFailed as error:
        raise ValueError(f"terms of end users: {error.detail}") from error


def _ask(connection: psycopg.Connection[Any], question: Question) -> list[tuple[Any, ...]]:
    by = question.authority
    who = [
        str(question.identity_id), str(question.tool_id), _id(by.application_id), _id(by.started_by_id),
        str(by.principal_id), by.provider, by.line_as_json, _id(by.credential_id),
    ]  # fmt: skip
    if not question.key:
        return _STANDING_OF_READ.rows(connection, who)
    what = [question.key, question.dedupe_digest, question.dedupe_since.isoformat()]
    return _STANDING_OF_WRITE.rows(connection, [*who, *what])


def _id(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)


def _read_seen(key: str, args_digest: str, state: str, stream_id: str, outcome_seq: int | None) -> SeenEffect:
    return SeenEffect(key, args_digest, state, UUID(stream_id), outcome_seq)


def _read_terms(
    connection: psycopg.Connection[Any], grant_id: str, version: int, decision: str, rows: Any, over_caps: str,
    approval_ttl_s: int, valid_until: int | None, is_over: bool | None, waiver: list[Any] | None,
    policy_table: str | None, veto_s: int, confirmation: bool,
) -> GrantTerms:  # fmt: skip
    """Return the terms of a grant. Raises ValueError for caps that cannot be read: they would cap nothing."""
    try:
        caps = parse_caps(rows)
    except ValidationFailed as error:
        raise ValueError(f"grant {grant_id}: {error.detail}") from error
    if decision == "ALLOW_WITH_CAPS" and not caps:
        raise ValueError(f"grant {grant_id}: there are no caps")
    return GrantTerms(
        UUID(grant_id), version, decision, caps, over_caps, approval_ttl_s, _moment(valid_until),
        _read_waiver(connection, grant_id, *waiver) if waiver else None,
        UUID(policy_table) if policy_table else None, veto_s, confirmation,
    )  # fmt: skip


def _read_waiver(
    connection: psycopg.Connection[Any], grant_id: str, one: str, other: str, tool_version: str, end_us: int,
    is_over: bool, signers_stand: bool,
) -> WaiverTerms:  # fmt: skip
    row = connection.execute(_SIGNED, (grant_id,)).fetchone()
    end = _EPOCH + timedelta(microseconds=end_us)
    return WaiverTerms((one, other), tool_version, end, signers_stand and bool(row and row[0]))


def read_actors(connection: psycopg.Connection[Any], identity_id: UUID, by: Authority) -> list[Any]:
    """Return how those stand by whose authority a run acts, a JSON array: ``ACTORS_AS_SEEN``, for ``actors_of``."""
    values = {
        "identity": identity_id, "application": by.application_id, "initiator": by.started_by_id,
        "principal": by.principal_id, "provider": by.provider, "line": by.line_as_json,
        "credential": by.credential_id,
    }  # fmt: skip
    row = connection.execute(_ACTORS, values).fetchone()
    return ["unknown", None, None, False, None, None, None, None] if row is None else list(row[0])


def actors_of(seen: list[Any], line: Sequence[Link] = ()) -> Actors:  # Any: a JSON array
    """Return what was seen of the actors in the policy's terms. Raises ValueError when a parent is missing."""
    state, expires_us, _, account, application, initiator, switch, parents = seen
    return Actors(
        state, _moment(expires_us), account, application, initiator_active=initiator, switch=switch,
        parents=tuple(parent_of(link, row) for link, row in zip(line, parents or (), strict=True)),
    )  # fmt: skip


def _read_used(
    connection: psycopg.Connection[Any], question: Question, windows: Sequence[str]
) -> dict[str, tuple[int, Decimal]]:
    if not windows:
        return {}
    located = locate_windows(question.identity_id, windows)
    rows = connection.execute(_USED, {"tool": question.tool_id, **located}).fetchall()
    return {windows[place - 1]: (count, amount) for place, count, amount in rows}


def list_windows(question: Question, standing: Standing) -> Iterator[str]:
    """Name the windows of every source that caps the call."""
    run, now, by = question.run_id, question.now, question.authority
    if standing.grant is not None:
        yield from windows_of(standing.grant.caps, run, now)
    for bound in standing.for_user:
        yield from windows_of(bound.caps, run, now, Whose(user=by.principal_id))
    for limit in (by.limits or {}).values():
        yield from windows_of(limit.caps, run, now)
    for parent in standing.parents:
        whose = Whose(agent=parent.identity_id)
        for source in (parent.grant, *(parent.limits or {}).values()):
            yield from windows_of(source.caps if source else (), parent.run_id, now, whose)
