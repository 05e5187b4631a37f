"""Runs of hundreds of steps, written past the driver: what people see of them is bounded."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.utils import timezone

from agentops.engine import events as e
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from runs.models import Run, ToolCall
from tests.cast import Cast
from tests.factories import RunFactory

ENTRIES_PER_STEP = 5
COST = "0.01"


def write_long_run(cast: Cast, steps: int) -> Run:
    """Write a run of so many steps, each with one call of `look_up`."""
    run: Run = RunFactory.create(agent_version__identity=cast.agent, application=cast.application)
    drafts = [Draft(e.RUN_STARTED, timezone.now(), {}, {"message": "The first words."})]
    drafts += [draft for step in range(1, steps + 1) for draft in _step(step)]
    with transaction.atomic():
        record(run.pk, "run", *drafts)
    ToolCall.objects.bulk_create(
        ToolCall(run=run, step=step, number=1, tool_name="look_up", proposed_at=timezone.now())
        for step in range(1, steps + 1)
    )
    return run


def _step(step: int) -> Iterator[Draft]:
    now, place = timezone.now(), {"step": step, "call": 1}
    proposed = {"call": 1, "tool": "look_up", "arguments": {"order_id": f"A-{step}"}}
    facts = {"step": step, "tokens": 10, "usd": COST, "calls": [{"call": 1, "tool": "look_up"}]}
    yield Draft(e.MODEL_REQUESTED, now, {"step": step, "model": "m", "attempt": 1})
    yield Draft(
        e.STEP_DECIDED, now, {**facts, "latency_ms": 3}, {"text": f"Step {step}.", "calls": [proposed]}
    )
    yield Draft(e.CALL_ALLOWED, now, {**place, "tool": "look_up", "reasons": []})
    yield Draft(e.ATTEMPT_STARTED, now, {**place, "attempt": 1})
    yield Draft(e.CALL_SUCCEEDED, now, {**place, "latency_ms": 7}, {"value": {"order": f"A-{step}"}})
