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
from runs.lookups.listing import ask, fill_in, list_offered
from runs.session import Session
from runs.sources import read_sources
from tools.calls import Call
from tools.provenance.labels import Label, label_at
from tools.provenance.sources import NOWHERE, Origin, worst_of
from tools.resolvers.dates import take_span
from tools.resolvers.declaration import Path, Resolver
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
    given: dict[str, Json] = field(default_factory=dict)
    code: str = ""
    detail: str = ""
    offered: list[dict[str, Json]] = field(default_factory=list)


def find_meant(
    session: Session, planned: Call, resolver: Resolver, arguments: dict[str, Json], said: str
) -> Found:
    """Return which thing the words mean. Only one that fits alone is taken; several are offered, never chosen from."""
    at, dated, given = _said_at(session), bool(resolver.date), fill_in(resolver, arguments)
    known = None if resolver.fresh_s is not None else _find_known(session, resolver, given, said)
    query = query_of(said, at, dated=dated) or (said.strip() if _needs_words(session, resolver) else "")
    listing = known or _list(session, planned, resolver, arguments, query)
    if isinstance(listing, Unanswered):
        return Found(code="lookup_failed", detail=listing.detail)
    fitting = match(said, listing.candidates, at, dated=dated)
    if not fitting.fitting and (exact := _list_exact(session, planned, resolver, arguments, said)):
        listing, fitting = exact, Match(exact.candidates, "value")
    words = _origin_of_words(session, said, at, dated=dated)
    if len(fitting.fitting) == 1:
        by = _deciding(resolver, fitting, is_by_day=dated and take_span(said, at)[1] is not None)
        return Found(
            fitting.fitting[0],
            "seen" if known else fitting.how,
            listing.answered,
            worst_of([words, *(_origin_at(session, resolver, path) for path in by)]),
            listing.permit,
            str(listing.version),
            listing.at.isoformat(),
            given,
        )
    offered = fitting.fitting or (listing.candidates if query and _searches(resolver) else ())
    return _offer(session, resolver, said, words, given, listing, offered, fits=bool(fitting.fitting))


def _searches(resolver: Resolver) -> bool:
    """Return whether what does not fit is worth offering: the tool has found it by the words, or lists all there is."""
    return bool(resolver.query) or resolver.fresh_s is not None


def _deciding(resolver: Resolver, found: Match, *, is_by_day: bool) -> list[Path]:
    """Return what of a thing has made it the one: who may write that may choose what is meant."""
    if found.how not in ("label", "words"):
        return [resolver.value]
    return [resolver.value, *resolver.labels, *([resolver.date] if is_by_day else [])]


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
    if (
        not resolver.query
        or _needs_words(session, resolver)
        or resolver.fresh_s is not None
        or len(said.split()) != 1
    ):
        return None
    listing = ask(session, resolver, arguments, "", f"{planned.key}:{resolver.name}")
    if isinstance(listing, Unanswered):
        return None
    same = tuple(each for each in listing.candidates if str(each.value) == said.strip())
    return replace(listing, candidates=same, answered=len(listing.candidates)) if same else None


def _needs_words(session: Session, resolver: Resolver) -> bool:
    spec = session.version.catalogue.get(resolver.tool)
    return spec is None or resolver.query in spec.input_schema.get("required", ())


def _find_known(session: Session, resolver: Resolver, given: dict[str, Json], said: str) -> Listing | None:
    """Return an identifier that the same tool has answered in this run, when it was given as much as it would be."""
    known = read_sources(session).known.get(resolver.tool, {})
    spec = session.version.catalogue.get(resolver.tool)
    answered = known.get((resolver.items, resolver.value), {}).get(said.strip(), ())
    found = [each.candidate for each in answered if each.was_given(given)]
    if not found or spec is None:
        return None
    return Listing((found[-1],), session.now, "", spec.id, 1)


def _offer(
    session: Session,
    resolver: Resolver,
    said: str,
    words: Origin,
    given: dict[str, Json],
    listing: Listing,
    shown: Sequence[Candidate],
    *,
    fits: bool,
) -> Found:
    """Return what may be meant: what fits, or what the tool itself has found by the words."""
    offered = [{**_shown(session, resolver, each, words), "given": given} for each in shown[:MOST_OFFERED]]
    quoted = json.dumps(said, ensure_ascii=False)
    if not shown:
        return Found(code="unknown_reference", detail=f"nothing that {resolver.tool} answers fits {quoted}")
    named = json.dumps([{"value": o["value"], "label": o["label"]} for o in offered], ensure_ascii=False)
    more = f" and {len(shown) - len(offered)} more" if len(shown) > len(offered) else ""
    remedy = "give the value of the one that is meant, or ask the user"
    if fits:
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
        "value_from": "untrusted" if stranger or (labels and not is_plain) else value.source,
        "label_from": "trusted" if is_plain else "untrusted",
        "sensitive": value.sensitive or any(label.sensitive for label in labels),
    }


def _label(session: Session, resolver: Resolver, path: tuple[str, ...]) -> Label:
    spec = session.version.catalogue.get(resolver.tool)
    rules = spec.declared.results if spec else ()
    return label_at((*resolver.items, "*", *path), rules)


def _origin_at(session: Session, resolver: Resolver, path: Path) -> Origin:
    return Origin(
        _label(session, resolver, path).source, f"looked up with {resolver.tool}, by {'.'.join(path)}"
    )


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
