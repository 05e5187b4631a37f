"""What an entry adds to which sums. Pure."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from agentops.engine import events as e
from runs.metrics import families as f
from runs.metrics.families import Family

MOST = 10**12
_OUTCOMES = {
    e.CALL_SUCCEEDED: "succeeded",
    e.CALL_FAILED: "failed",
    e.CALL_UNKNOWN: "unknown",
    e.ATTEMPT_FAILED: "retried",
}
_SETTLED = {
    e.APPROVAL_GRANTED: "granted",
    e.APPROVAL_REFUSED: "refused",
    e.CALL_EDITED: "edited",
    e.CALL_ASKED_BACK: "asked_back",
}
# Answers of a model, and whether they are ones: a summary is a call like any other, where one was asked for.
_OF_MODEL = {
    e.STEP_DECIDED: True,
    e.MODEL_FAILED: False,
    e.SUMMARY_WRITTEN: True,
    e.SUMMARY_FAILED: False,
    e.EMBEDDING_MADE: True,
    e.EMBEDDING_FAILED: False,
}
_OF_VECTORS = (e.EMBEDDING_MADE, e.EMBEDDING_FAILED)
_TOKENS = {"input": "input", "output": "output", "cached": "cached_input", "reasoning": "reasoning_output"}


@dataclass(frozen=True, slots=True)
class Happened:
    """An entry of a run with what it is labelled by: names that operators gave."""

    kind: str
    facts: dict[str, Any]  # Any: JSON
    at: datetime
    began_at: datetime
    team: str
    agent: str
    model: str
    tool: str


def add_up(entries: Iterable[Happened]) -> dict[tuple[str, str], Decimal]:
    """Return what entries add, by metric and labels."""
    sums: dict[tuple[str, str], Decimal] = {}
    for entry in entries:
        _add(sums, f.ENTRIES, (entry.kind,), 1)
        _add_model(sums, entry)
        _add_call(sums, entry)
        if entry.kind in e.ENDINGS:
            seconds = max(0.0, (entry.at - entry.began_at).total_seconds())
            _observe(sums, f.RUN_SECONDS, (entry.team, entry.agent, e.ENDINGS[entry.kind]), seconds)
    return sums


def _add_model(sums: dict[tuple[str, str], Decimal], entry: Happened) -> None:
    facts = entry.facts
    if entry.kind not in _OF_MODEL or not facts.get("asked", True):
        return
    error = "" if _OF_MODEL[entry.kind] else str(facts.get("code", ""))
    operation = "embeddings" if entry.kind in _OF_VECTORS else "chat"
    _observe(sums, f.MODEL_SECONDS, (operation, entry.model, error), _seconds(facts))
    usage = facts.get("usage")
    for name, label in _TOKENS.items():
        if isinstance(usage, dict) and (tokens := usage.get(name)):
            _add(sums, f.MODEL_TOKENS, (entry.model, label), _amount(tokens))
    _add(sums, f.MODEL_USD, (entry.model,), _amount(facts.get("usd")))


def _add_call(sums: dict[tuple[str, str], Decimal], entry: Happened) -> None:
    facts = entry.facts
    if (outcome := _OUTCOMES.get(entry.kind)) and facts.get("attempt"):
        _observe(sums, f.TOOL_SECONDS, (entry.tool, outcome), _seconds(facts))
    elif entry.kind == e.CALL_REFUSED:
        _add(sums, f.CALLS_REFUSED, (entry.tool, str(facts.get("code", ""))), 1)
    elif settled := _SETTLED.get(entry.kind):
        _add(sums, f.APPROVALS_DECIDED, (entry.tool, settled), 1)


def _seconds(facts: dict[str, Any]) -> float:  # Any: JSON
    return float(_amount(facts.get("latency_ms"))) / 1000


def _amount(value: Any) -> Decimal:  # Any: JSON
    """Return an amount; what is none, or would make a sum smaller or absurd, is nothing."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() and 0 < amount < MOST else Decimal(0)


def _observe(
    sums: dict[tuple[str, str], Decimal], family: Family, labels: tuple[str, ...], seconds: float
) -> None:
    """Count one in the bucket that holds it; whoever reads adds the buckets below."""
    bounds = f.buckets_of(family)
    place = bisect_left(bounds, seconds)
    bound = str(bounds[place]) if place < len(bounds) else "+Inf"
    _put(sums, f"{family.name}_bucket", (*labels, bound), Decimal(1))
    _put(sums, f"{family.name}_sum", labels, Decimal(str(seconds)))


def _add(
    sums: dict[tuple[str, str], Decimal], family: Family, labels: tuple[str, ...], amount: int | Decimal
) -> None:
    if amount:
        _put(sums, family.name, labels, Decimal(amount))


def _put(sums: dict[tuple[str, str], Decimal], metric: str, labels: tuple[str, ...], amount: Decimal) -> None:
    key = metric, json.dumps(labels, ensure_ascii=False)
    sums[key] = sums.get(key, Decimal(0)) + amount
