"""What a call's arguments describe, looked up and put in their place, once: what goes out is what was assessed.

What came of it is written with the note that the call may run or waits for people. Whoever executes it later takes it
from there: the same words never come to mean another thing in between.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.store import Cursor
from agentops.text import spell_out
from runs.lookups.finding import Found, find_meant
from runs.lookups.kept import Resolution
from runs.lookups.listing import find_stale
from runs.session import Session
from tools.calls import Call
from tools.provenance.judging import Resolved
from tools.provenance.labels import Source
from tools.provenance.sources import Origin
from tools.resolvers.declaration import Resolver
from tools.resolvers.matching import LONGEST_SAID
from tools.resolvers.places import find_places, put_at, words_of

Json = Any  # arguments, and what stands in the ledger about them

AMBIGUOUS, UNKNOWN, UNASKED, STALE = (
    "ambiguous_reference",
    "unknown_reference",
    "lookup_failed",
    "no_longer_listed",
)
CODES = (AMBIGUOUS, UNKNOWN, UNASKED, STALE)
_KEPT = """
SELECT content FROM ledger_entry WHERE stream = %s AND seq > %s AND seq <= %s AND kind = ANY(%s)
    AND facts ->> 'step' = %s AND facts ->> 'call' = %s ORDER BY seq DESC LIMIT 1
"""
_KEPT_BETWEEN = """
SELECT content FROM ledger_entry WHERE stream = %s AND seq > %s AND seq < %s AND kind = ANY(%s)
    AND facts ->> 'call' = %s ORDER BY seq DESC LIMIT 1
"""
_KINDS = [e.CALL_ALLOWED, e.CALL_GATED, e.CONFIRMATION_REQUESTED]
MOST_PLACES = 50


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why a call's arguments do not say which thing is meant."""

    code: str
    detail: str


def resolve_arguments(session: Session, planned: Call, number: int) -> Resolution | Unresolved:
    """Return a call's arguments with what they describe in its place, or why that is not known."""
    where = (session.state.step_of(number), number)
    kept = _find_kept(session, number)
    if isinstance(kept, Unresolved):
        return kept
    if kept is not None:
        gone = find_stale(session, planned, kept)
        return Unresolved(STALE, gone) if gone else kept
    found = _resolve(session, planned, where)
    if isinstance(found, Resolution):
        session.lookups.resolved[where] = found
    return found


def read_kept(session: Session, number: int) -> Resolution | None:
    """Return what was looked up for a call that went out; None where it was erased."""
    kept = _find_kept(session, number)
    return kept if isinstance(kept, Resolution) else None


def content_of(session: Session, number: int) -> dict[str, Json] | None:
    """Return what a trace, an approval and a later execution are told of what was looked up; None for nothing."""
    kept = session.lookups.resolved.get((session.state.step_of(number), number))
    return {"resolutions": list(kept.told)} if kept else None


def facts_of(session: Session, number: int) -> dict[str, Json]:
    """Return what stays on record of what was looked up when the words are erased."""
    kept = session.lookups.resolved.get((session.state.step_of(number), number))
    names = ("argument", "tool", "tool_version", "how", "among", "permit", "as_of")
    resolved = [{name: told[name] for name in names} for told in kept.told] if kept else []
    return {**({"resolved": resolved} if resolved else {}), **session.lookups.take_trail()}


def refused_of(session: Session, number: int) -> dict[str, Json]:
    """Return the candidates that go back to the planner with a refusal."""
    return session.lookups.refused.pop((session.state.step_of(number), number), {})


def read_resolved(cursor: Cursor, run: UUID, between: tuple[int, int], number: int, said: Json) -> Json:
    """Return the arguments with which a call of a run went out between two entries; None where that was erased."""
    row = cursor.execute(_KEPT_BETWEEN, (run, *between, _KINDS, str(number))).fetchone()
    content = json.loads(row[0]) if row and row[0] is not None else None
    return _rebuild(said, content["resolutions"]).arguments if content else None


def _resolve(session: Session, planned: Call, where: tuple[int, int]) -> Resolution | Unresolved:
    arguments, told, traced = planned.arguments, [], []
    session.lookups.refused.pop(where, None)
    if _is_too_much(planned):
        return Unresolved(UNKNOWN, f"at most {MOST_PLACES} things are looked up for one call: make several")
    for resolver in planned.spec.resolvers:
        same: dict[str, Found] = {}
        for place, said in list(find_places(arguments, resolver.path)):
            name = words_of(place)
            if not _is_sayable(said):
                return Unresolved(UNKNOWN, f"{name} takes an identifier, or words of at most {LONGEST_SAID}")
            found = same.get(str(said)) or find_meant(session, planned, resolver, arguments, str(said))
            same[str(said)] = found
            if found.candidate is None:
                session.lookups.refused[where] = {"candidates": found.offered}
                return Unresolved(found.code, f"{name}: {found.detail}")
            arguments = put_at(arguments, place, found.candidate.value)
            told.append(_tell(resolver, place, str(said), found))
            traced.append(Resolved(resolver.path, str(found.candidate.value), found.origin))
    return Resolution(arguments, planned.arguments, tuple(told), tuple(traced))


def _is_too_much(planned: Call) -> bool:
    """A call is looked up before its schema is asked: a list without end would ask the tool without end."""
    found = (find_places(planned.arguments, resolver.path) for resolver in planned.spec.resolvers)
    return sum(1 for _ in islice(chain.from_iterable(found), MOST_PLACES + 1)) > MOST_PLACES


def _is_sayable(said: Json) -> bool:
    if isinstance(said, bool) or not isinstance(said, str | int):
        return False
    return 0 < len(str(said).strip()) <= LONGEST_SAID


def _tell(resolver: Resolver, place: tuple[str | int, ...], said: str, found: Found) -> dict[str, Json]:
    candidate = found.candidate
    return {
        "argument": resolver.name,
        "place": list(place),
        "said": spell_out(said),
        "value": candidate.value if candidate else None,
        "label": candidate.label if candidate else "",
        "tool": resolver.tool,
        "items": list(resolver.items),
        "path": list(resolver.value),
        "tool_version": found.version,
        "how": found.how,
        "among": found.among,
        "from": found.origin.source,
        "where": found.origin.where,
        "permit": found.permit,
        "as_of": found.as_of,
        "given": found.given,
    }


def _find_kept(session: Session, number: int) -> Resolution | Unresolved | None:
    """Return what is on record for a call, None where it was not looked at before."""
    where = (session.state.step_of(number), number)
    if (known := session.lookups.resolved.get(where)) is not None:
        return known
    said = _said(session, number)
    recorded = _read_recorded(session, where)
    if recorded is None:
        return None
    content = recorded[0]
    if said is None or not isinstance(content, dict) or not isinstance(content.get("resolutions"), list):
        return Unresolved(UNASKED, "what was looked up for this call has been erased")
    session.lookups.resolved[where] = _rebuild(said, content["resolutions"])
    return session.lookups.resolved[where]


def _said(session: Session, number: int) -> dict[str, Json] | None:
    from runs.actions.proposals import proposal  # which asks here what it means

    said = proposal(session, number)["arguments"]
    return said if isinstance(said, dict) else None


def _read_recorded(session: Session, where: tuple[int, int]) -> tuple[Json] | None:
    for draft, state in reversed(session.pending):
        if state.seq <= session.state.call(where[1]).edited:
            break
        if draft.kind in _KINDS and (draft.facts["step"], draft.facts["call"]) == where:
            return (draft.content,)
    # What was looked up for a call as it was before somebody edited it is not about this one.
    after = session.state.call(where[1]).edited
    asked = (session.context.run_id, after, session.head.seq, _KINDS, str(where[0]), str(where[1]))
    with borrowed() as connection:
        row = connection.execute(_KEPT, asked).fetchone()
    return None if row is None else (None if row[0] is None else json.loads(row[0]),)


def _rebuild(said: dict[str, Json], told: list[dict[str, Json]]) -> Resolution:
    arguments, traced = said, []
    for each in told:
        arguments = put_at(arguments, tuple(each["place"]), each["value"])
        source: Source = each["from"]
        path = tuple(each["argument"].split("."))
        traced.append(Resolved(path, str(each["value"]), Origin(source, each["where"])))
    return Resolution(arguments, said, tuple(told), tuple(traced))
