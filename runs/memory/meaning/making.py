"""Giving notes their vectors, after they were written: one call for each, by a worker, and again where it failed.

A note without one is found by its words. Only what runs may read is sent: what is in quarantine waits until it is
released. The text leaves as a prompt does, without what its agent's versions take out.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from agentops.amounts import plain_decimal
from agentops.engine.budgets import worst_usd
from agentops.errors import NotFound
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from identities.models import KillSwitch
from runs.memory.meaning.paying import NOTHING, Charge, Held, holding
from runs.memory.meaning.provider import embedder_of, find_model
from runs.models import AgentVersion, Memory
from runs.planner.answers import Embedded, PlannerFailure
from runs.planner.embeddings import Embedder, EmbeddingRequest, bound_tokens
from runs.planner.prices import Price
from runs.redaction import Redactor
from runs.routing import breakers
from runs.routing.providers import Target, find_target
from runs.versions import dearest_rates, read_price

logger = logging.getLogger(__name__)

# All of a batch have been tried before the first of them is due again, however slow each answer is.
BATCH = 20
MOST_ATTEMPTS = 8
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
STREAM_KIND = "memory"
# Vectors of two models are never compared, so those of another than the present one are of no use.
_OUTDATE = """
UPDATE runs_memoryvector SET numbers = NULL, dimension = 0, attempts = 0, due_at = %(now)s WHERE memory_id IN (
    SELECT memory_id FROM runs_memoryvector WHERE numbers IS NOT NULL AND (model < %(model)s OR model > %(model)s)
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
"""
# Claimed by putting off when it is tried next: whoever dies with it leaves it due.
_CLAIM = """
UPDATE runs_memoryvector v SET model = %(model)s, due_at = %(now)s::timestamptz + least(%(longest)s::interval,
        %(first)s::interval * power(2, CASE WHEN v.model = %(model)s THEN v.attempts ELSE 0 END)),
    attempts = CASE WHEN v.model = %(model)s THEN v.attempts ELSE 0 END + 1
WHERE v.memory_id IN (
    SELECT d.memory_id FROM runs_memoryvector d JOIN runs_memory m ON m.id = d.memory_id
    WHERE d.due_at <= %(now)s AND (d.attempts < %(most)s OR d.model <> %(model)s) AND m.state = 'active'
        AND m.expires_at > %(now)s
    ORDER BY d.due_at, d.memory_id LIMIT %(batch)s FOR UPDATE OF d SKIP LOCKED)
RETURNING v.memory_id
"""
# Of a note that was taken back meanwhile the row is gone.
_KEEP = """
UPDATE runs_memoryvector SET numbers = %(numbers)s::real[], dimension = %(dimension)s, code = '', due_at = NULL
WHERE memory_id = %(memory)s AND model = %(model)s
"""
_FAIL = "UPDATE runs_memoryvector SET code = %s, due_at = CASE WHEN %s THEN due_at END WHERE memory_id = %s"


def make_vectors(now: datetime) -> int:
    """Give the notes vectors that are due for one; return how many were tried. None are where no model is set."""
    model = find_model()
    if not model or not _can_compare():
        return 0
    tried = _claim(model, now)
    for memory in Memory.objects.filter(pk__in=tried).select_related("run__agent_version", "identity"):
        code, retryable = _make(memory, model, now)
        if code:
            _note_failure(memory, code, retryable=retryable)
    return len(tried)


def _can_compare() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regtype('vector') IS NOT NULL")
        return bool((cursor.fetchone() or (False,))[0])


@transaction.atomic
def _claim(model: str, now: datetime) -> list[UUID]:
    values: dict[str, Any] = {
        "model": model, "now": now, "batch": BATCH, "most": MOST_ATTEMPTS, "first": FIRST_WAIT, "longest": LONGEST_WAIT,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_OUTDATE, values)
        cursor.execute(_CLAIM, values)
        return [row[0] for row in cursor.fetchall()]


def _make(memory: Memory, model: str, now: datetime) -> tuple[str, bool]:
    """Give one note its vector; return why it has none, and whether it is tried again. Empty: it has one."""
    if _is_stopped(memory, now):
        return "stopped", True
    try:
        price = read_price(model)
    except NotFound as unknown:
        return unknown.code, True
    text, target = _redact(memory), find_target(model)
    embedder = embedder_of(target.provider)
    if embedder is None:
        return "no_endpoint", True
    tokens = bound_tokens(text)
    worst = Charge(tokens, worst_usd(tokens, 0, dearest_rates(price)))
    with holding(memory.run.team_id, memory.identity_id, worst, now) as held:
        return ("budget_short", True) if held is None else _ask(memory, embedder, text, target, price, held)


def _is_stopped(memory: Memory, now: datetime) -> bool:
    """Return whether nothing is to be done for this agent or this end user, or by models at all."""
    planner = memory.run.agent_version.planner
    switches = KillSwitch.objects.thrown().concerning(memory.principal_id, planner)
    return not memory.identity.may_act(now) or switches.exists()


def _redact(memory: Memory) -> str:
    """Return a note as it may leave: without what the version of its run takes out, or the one that stands now."""
    standing = AgentVersion.objects.filter(identity=memory.identity_id, state="published")
    kinds = {kind for listed in standing.values_list("redact", flat=True) for kind in listed}
    return Redactor(sorted(kinds | set(memory.run.agent_version.redact))).redact_text(memory.text)


def _ask(
    memory: Memory, embedder: Embedder, text: str, target: Target, price: Price, held: Held
) -> tuple[str, bool]:
    admission = breakers.admit(target)
    if not admission.allowed:
        held.taken = NOTHING
        return "planner_circuit_open", True
    answer = embedder.ask(EmbeddingRequest(target.model, text, settings.EMBEDDINGS_TIMEOUT_S, {}))
    breakers.tell(target, admission, answer)
    if isinstance(answer, PlannerFailure):
        held.fail(answer, price)
        return answer.code, answer.retryable
    held.settle(answer.usage, price)
    _keep(memory, answer, target, price, held.taken)
    return "", False


@transaction.atomic
def _keep(memory: Memory, answer: Embedded, target: Target, price: Price, taken: Charge) -> None:
    """Keep a vector, and on the note's stream what it has cost."""
    values: dict[str, Any] = {
        "memory": memory.pk, "numbers": list(answer.vector), "dimension": len(answer.vector),
        "model": target.name,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)
        kept = cursor.rowcount == 1
    facts = {
        "run": str(memory.run_id), "requested_model": target.name, "model": answer.model,
        "dimension": len(answer.vector), "price_version": price.version, "tokens": taken.tokens,
        "usd": plain_decimal(taken.usd), "estimated": taken.estimated, "kept": kept,
    }  # fmt: skip
    record(memory.pk, STREAM_KIND, Draft("memory.embedded", timezone.now(), facts, actor=memory.identity_id))


def _note_failure(memory: Memory, code: str, *, retryable: bool) -> None:
    """Keep why a note has no vector; what will never do is not tried again with this model."""
    logger.warning("note %s has no vector, and is found by its words alone: %s", memory.pk, code)
    with connection.cursor() as cursor:
        cursor.execute(_FAIL, (code, retryable, memory.pk))
