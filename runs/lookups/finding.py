"""Which thing the words of an argument mean: asked of the tool that its tool names, and told apart by plain rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from runs.lookups.calling import Unanswered
from runs.lookups.kept import Listing
from runs.lookups.listing import ask, list_offered
from runs.session import Session
from runs.sources import read_sources
from tools.calls import Call
from tools.provenance.labels import Label, label_at
from tools.provenance.sources import NOWHERE, Origin, worst_of
from tools.resolvers.dates import take_span
from tools.resolvers.declaration import Resolver
from tools.resolvers.matching import Candidate, Match, match, query_of, words_of

Json = Any  # arguments
MOST_OFFERED = 10
_SAID_AT = "SELECT max(at) FROM ledger_entry WHERE stream = %s AND seq <= %s AND kind = ANY(%s)"
_WORDS = [e.RUN_STARTED, e.MESSAGE_RECEIVED, e.INPUT_RECEIVED]


@dataclass(frozen=True, slots=True)
class Found:
    """The thing that is meant, or why it is not known (``code``, ``detail``) and what it may be (``offered``)."""

    candidate: Candidate | None = None
    how: str = ""
    among: int = 0
    origin: Origin = NOWHERE
    permit: str = ""
    version: str = ""
    as_of: str = ""
    code: str = ""
    detail: str = ""
    offered: list[dict[str, Json]] = field(default_factory=list)


def find_meant(
    session: Session, planned: Call, resolver: Resolver, arguments: dict[str, Json], said: str
) -> Found:
    """Return which thing the words mean. Only one that fits alone is taken; several are offered, never chosen from."""
    at = _said_at(session)
    known = None if resolver.fresh_s is not None else _find_known(session, resolver, said)
    listing = known or _list(session, planned, resolver, arguments, query_of(said, at))
    if isinstance(listing, Unanswered):
        return Found(code="lookup_failed", detail=listing.detail)
    dated = bool(resolver.date)
    fitting = match(said, listing.candidates, at, dated=dated)
    if not fitting.fitting and (exact := _list_exact(session, planned, resolver, arguments, said)):
        listing, fitting = exact, Match(exact.candidates, "value")
    words = _origin_of_words(session, said, at, dated=dated)
    if len(fitting.fitting) == 1:
        return Found(
            fitting.fitting[0],
            "seen" if known else fitting.how,
            listing.answered,
            worst_of([words, _origin_of_value(session, resolver)]),
            listing.permit,
            str(listing.version),
            listing.at.isoformat(),
        )
    return _offer(session, resolver, said, words, listing, fitting.fitting)


def _list(
    session: Session, planned: Call, resolver: Resolver, arguments: dict[str, Json], query: str
) -> Listing | Unanswered:
    if resolver.fresh_s is not None:
        return list_offered(session, planned.spec, resolver)
    return ask(session, resolver, arguments, query, f"{planned.key}:{resolver.name}")


def _list_exact(
    session: Session, planned: Call, resolver: Resolver, arguments: dict[str, Json], said: str
) -> Listing | None:
    """Return an identifier that a search does not find by itself, if the tool lists it without being given words."""
    spec = session.version.catalogue.get(resolver.tool)
    needs_words = spec is None or resolver.query in spec.input_schema.get("required", ())
    if not resolver.query or needs_words or resolver.fresh_s is not None or len(said.split()) != 1:
        return None
    listing = ask(session, resolver, arguments, "", f"{planned.key}:{resolver.name}")
    if isinstance(listing, Unanswered):
        return None
    same = tuple(each for each in listing.candidates if str(each.value) == said.strip())
    return replace(listing, candidates=same, answered=len(listing.candidates)) if same else None


def _find_known(session: Session, resolver: Resolver, said: str) -> Listing | None:
    """Return an identifier that an answer of the same tool in this run has held as such."""
    known = read_sources(session).known.get(resolver.tool, {})
    spec = session.version.catalogue.get(resolver.tool)
    found = known.get((resolver.items, resolver.value), {}).get(said.strip())
    if found is None or spec is None:
        return None
    return Listing((found,), session.now, "", spec.id, 1)


def _offer(
    session: Session,
    resolver: Resolver,
    said: str,
    words: Origin,
    listing: Listing,
    fitting: Sequence[Candidate],
) -> Found:
    """Return what may be meant: what fits, or what the tool itself has found by the words."""
    shown = fitting or (listing.candidates if resolver.query or resolver.fresh_s is not None else ())
    offered = [_shown(session, resolver, each, words) for each in shown[:MOST_OFFERED]]
    quoted = json.dumps(said, ensure_ascii=False)
    if not shown:
        return Found(code="unknown_reference", detail=f"nothing that {resolver.tool} answers fits {quoted}")
    named = json.dumps([{"value": o["value"], "label": o["label"]} for o in offered], ensure_ascii=False)
    more = f" and {len(shown) - len(offered)} more" if len(shown) > len(offered) else ""
    remedy = "give the value of the one that is meant, or ask the user"
    if fitting:
        detail = f"{quoted} fits {len(shown)} of {listing.answered}: {named}{more}; {remedy}"
        return Found(code="ambiguous_reference", detail=detail, offered=offered)
    detail = f"{quoted} fits none of what {resolver.tool} answers: {named}{more}; {remedy}"
    return Found(code="unknown_reference", detail=detail, offered=offered)


def _shown(session: Session, resolver: Resolver, each: Candidate, words: Origin) -> dict[str, Json]:
    """Return a candidate with whose it is: words of strangers make nothing that they point at trusted."""
    paths = (resolver.value, *resolver.labels)
    value, *labels = (_label(session, resolver, path) for path in paths)
    stranger = words.source in ("untrusted", "nowhere")
    is_plain = not stranger and bool(labels) and all(label.source != "untrusted" for label in labels)
    return {
        "value": each.value,
        "label": each.label,
        "tool": resolver.tool,
        "items": list(resolver.items),
        "path": list(resolver.value),
        "value_from": "untrusted" if stranger else value.source,
        "label_from": "trusted" if is_plain else "untrusted",
        "sensitive": value.sensitive or any(label.sensitive for label in labels),
    }


def _label(session: Session, resolver: Resolver, path: tuple[str, ...]) -> Label:
    spec = session.version.catalogue.get(resolver.tool)
    rules = spec.declared.results if spec else ()
    return label_at((*resolver.items, "*", *path), rules)


def _origin_of_value(session: Session, resolver: Resolver) -> Origin:
    return Origin(_label(session, resolver, resolver.value).source, f"looked up with {resolver.tool}")


def _origin_of_words(session: Session, said: str, at: datetime, *, dated: bool) -> Origin:
    rest = take_span(said, at)[0] if dated else said
    return read_sources(session).sources.trace_words(said, words_of(rest) or words_of(said))


def _said_at(session: Session) -> datetime:
    """Return when the user last said something before the planner decided this step."""
    decided = max(
        (mark.seq for mark in session.state.marks if mark.step == session.state.step),
        default=session.head.seq,
    )
    with borrowed() as connection:
        row = connection.execute(_SAID_AT, (session.context.run_id, decided, _WORDS)).fetchone()
    return row[0] if row and row[0] else session.now
