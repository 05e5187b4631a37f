"""Asking the tool that looks up, and lists of allowed values that are asked for again when they are too old."""

from __future__ import annotations

from typing import Any

from runs.lookups.calling import Unanswered, look_up
from runs.lookups.kept import Listing, Resolution
from runs.session import Session, utc_now
from tools.calls import Call, ToolSpec
from tools.resolvers.declaration import ARGUMENT, Resolver
from tools.resolvers.matching import Candidate, read_candidates

Json = Any  # arguments


def ask(
    session: Session, resolver: Resolver, arguments: dict[str, Json], query: str, key: str
) -> Listing | Unanswered:
    """Return what a lookup answers now, as of the time at which it was asked."""
    given = fill_in(resolver, arguments)
    if resolver.query and query:
        given[resolver.query] = query
    at = utc_now()
    answered = look_up(session, resolver.tool, given, key)
    told = {"tool": resolver.tool, "argument": resolver.name, "at": at.isoformat()}
    if isinstance(answered, Unanswered):
        session.lookups.trail.append(told)
        return answered
    candidates = read_candidates(answered.value, resolver)
    session.lookups.trail.append({**told, "permit": answered.permit, "among": len(candidates or ())})
    if candidates is None:
        return Unanswered(f"the answer of {resolver.tool} is not a list of things, or one of too many")
    version = session.version.catalogue[resolver.tool].id
    return Listing(tuple(candidates), at, answered.permit, version, len(candidates))


def list_offered(session: Session, spec: ToolSpec, resolver: Resolver) -> Listing | Unanswered:
    """Return the allowed values of an argument, listed no longer ago than its tool allows."""
    place = (spec.id, resolver.path)
    kept = session.lookups.listings.get(place)
    if kept is not None and not _is_old(kept, resolver):
        return kept
    session.lookups.listings.pop(place, None)
    listing = ask(session, resolver, {}, "", f"{session.context.run_id}:{spec.name}:{resolver.name}")
    if isinstance(listing, Listing):
        session.lookups.listings[place] = listing
    return listing


def find_stale(session: Session, planned: Call, kept: Resolution) -> str:
    """Return, in words, which value of a call is not listed any more, or cannot be listed; empty if none."""
    for resolver in planned.spec.resolvers:
        values = [told["value"] for told in kept.told if told["argument"] == resolver.name]
        if resolver.fresh_s is None or not values:
            continue
        listing = list_offered(session, planned.spec, resolver)
        if isinstance(listing, Unanswered):
            return f"{resolver.name}: {listing.detail}"
        if not set(values) <= {_value(each) for each in listing.candidates}:
            return f"{resolver.name}: {resolver.tool} does not list it any more"
    return ""


def _value(candidate: Candidate) -> str | int:
    return candidate.value


def _is_old(listing: Listing, resolver: Resolver) -> bool:
    return resolver.fresh_s is not None and not (
        0 <= (utc_now() - listing.at).total_seconds() <= resolver.fresh_s
    )


def fill_in(resolver: Resolver, arguments: dict[str, Json]) -> dict[str, Json]:
    """Return what a lookup is always given, for a call with these arguments."""
    return {name: _fill_in(value, arguments) for name, value in resolver.arguments.items()}


def _fill_in(value: Json, arguments: dict[str, Json]) -> Json:
    if isinstance(value, str) and value.startswith(ARGUMENT):
        return arguments.get(value.removeprefix(ARGUMENT))
    return value
