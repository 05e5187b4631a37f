"""The vector of what a run looks for: a model call of its own, within the run's budget, and on its record.

Whatever keeps it from being made, the run goes on with the full text; why is said with what was recalled.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.decide import LOST
from runs.charging import (
    NOTHING,
    charge,
    charge_lost,
    describe_priced,
    describe_route,
    describe_usage,
    find_lacking,
)
from runs.memory.meaning.provider import embedder_of, find_model
from runs.planner.answers import Embedded, PlannerFailure
from runs.planner.embeddings import EmbeddingRequest, bound_tokens
from runs.redaction import Redactor
from runs.routing.choosing import NULL, NoRoute, Route, find_route, want_vector
from runs.routing.providers import find_target
from runs.session import Session
from runs.slots import waiting_outside
from runs.telemetry.places import EMBEDDING

SINCE_ENGINE = 15
LONGEST = 1_000  # characters of a request that are looked for, as many as a note has
# A run that has nothing to compare with asks nobody, and neither does one whose database cannot compare.
_COMPARABLE = """
SELECT to_regtype('vector') IS NOT NULL, EXISTS (
    SELECT FROM runs_memory m JOIN runs_memoryvector v ON v.memory_id = m.id
    WHERE m.identity_id = %s AND m.principal_id = %s AND m.state = 'active' AND m.expires_at > %s
        AND v.model = %s AND v.numbers IS NOT NULL)
"""
Vector = tuple[float, ...]


def may_find_by_meaning(session: Session) -> bool:
    """Return whether a run looks for notes by their meaning at all; one that goes by older rules does not."""
    is_asked = session.version.planner != NULL and session.state.engine >= SINCE_ENGINE
    return bool(find_model()) and is_asked


def find_vector(session: Session, text: str, where: dict[str, Any]) -> Vector | str:  # Any: facts
    """Return the vector of what is looked for, or a word for why there is none.

    What was paid for once is not asked for again in this drive, though what follows from it be decided anew.
    """
    redactor = Redactor(session.version.redact)
    text = redactor.redact_text(text)[:LONGEST].strip()
    if text in session.vectors:
        return session.vectors[text]
    if hindrance := _find_hindrance(session, text):
        return hindrance
    route = find_route(session, want_vector(find_model(), bound_tokens(text)))
    if isinstance(route, NoRoute):
        return find_lacking(route)
    with route.until_asked():
        told = {
            name: value for name, value in describe_route(route).items() if name != "max_completion_tokens"
        }
        session.note(e.EMBEDDING_REQUESTED, {**where, **told, **({"redacted": 1} if redactor.count else {})})
        session.commit()
        request = _request(session, text, route)
    return _ask(session, where, route, request)


def settle_lost(session: Session) -> None:
    """Charge a call for a vector that died with its driver in full; what it was for is looked for once more."""
    facts = {"step": session.state.step, "code": LOST, "latency_ms": 0, **charge_lost(session)}
    session.note(e.EMBEDDING_FAILED, facts)


def _find_hindrance(session: Session, text: str) -> str:
    if not text:
        return "nothing_asked"
    if embedder_of(find_target(find_model()).provider) is None:
        return "no_endpoint"
    context = session.context
    whose = (context.identity_id, context.principal_id, session.now, find_model())
    with borrowed() as connection:
        can_compare, is_comparable = connection.execute(_COMPARABLE, whose).fetchone() or (False, False)
    if not can_compare:
        return "no_pgvector"
    return "" if is_comparable else "no_vectors"


def _request(session: Session, text: str, route: Route) -> EmbeddingRequest:
    """The span that goes out with it is named after its entry, the last one of the stream."""
    context = session.context
    trace = {
        "traceparent": context.traceparent_of(EMBEDDING, session.state.seq),
        "tracestate": context.trace_state,
    }
    said = {name: value for name, value in trace.items() if value}
    return EmbeddingRequest(route.target.model, text, settings.EMBEDDINGS_TIMEOUT_S, said)


def _ask(
    session: Session, where: dict[str, Any], route: Route, request: EmbeddingRequest
) -> Vector | str:  # Any: facts
    embedder = embedder_of(route.target.provider)
    assert embedder is not None  # noqa: S101  nobody is asked who cannot be: see _find_hindrance
    with waiting_outside():
        started = time.monotonic()
        answer = embedder.ask(request)
        latency_ms = round((time.monotonic() - started) * 1000)
        route.tell(answer)
    session.read_clock()
    told = {**where, **describe_priced(route), "latency_ms": latency_ms}
    if isinstance(answer, PlannerFailure):
        return _note_failure(session, answer, route, told)
    return _note_made(session, answer, route, request.text, told)


def _note_failure(
    session: Session, failure: PlannerFailure, route: Route, told: dict[str, Any]
) -> str:  # Any: facts
    known = failure.usage is not None or failure.charge == "estimated"
    cost = charge(session, failure.usage, route.price) if known else NOTHING
    session.note(e.EMBEDDING_FAILED, {**told, "code": failure.code, **cost}, {"detail": failure.detail})
    return failure.code


def _note_made(
    session: Session, answer: Embedded, route: Route, text: str, told: dict[str, Any]
) -> Vector:  # Any: facts
    facts = {
        **told, "model": answer.model[:120], "dimension": len(answer.vector), "usage": describe_usage(answer.usage),
        **charge(session, answer.usage, route.price),
    }  # fmt: skip
    session.note(e.EMBEDDING_MADE, facts)
    session.vectors = {text: answer.vector}
    return answer.vector
