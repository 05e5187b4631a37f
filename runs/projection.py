"""Projections: what an event changes in the rows of steps and tool calls. Pure, so that rows can be rebuilt.

None in a column means "as it was". The variables of a row are those of its columns that an append names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.state import CallState, CallStatus, RunState

StepState = Literal["asking", "decided", "failed"]

REVIEW_CAPACITY = "review_capacity"  # why a run is queued still: those who review have no room for it
CODE_LIMIT = 48  # the columns' width: a tool's code may be longer, and the ledger has it whole


@dataclass(init=False)
class StepRow:
    number: int
    state: StepState | None = None
    model: str | None = None
    price_version: str | None = None
    attempts: int | None = None
    asked_at: datetime | None = None
    decided_at: datetime | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    usd: Decimal | None = None
    estimated: bool | None = None
    code: str | None = None
    decided_seq: int | None = None

    def __init__(self, number: int) -> None:
        self.number = number


@dataclass(init=False)
class CallRow:
    step: int
    number: int
    tool_name: str | None = None
    tool_version_id: str | None = None
    effect: str | None = None
    state: CallStatus | None = None
    decision: str | None = None
    reasons: list[dict[str, str]] | None = None
    approval_id: str | None = None
    args_digest: str | None = None
    attempts: int | None = None
    code: str | None = None
    proposed_at: datetime | None = None
    held_until: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    latency_ms: int | None = None
    decided_seq: int | None = None
    outcome_seq: int | None = None

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number


@dataclass
class EffectRow:
    """What is known about the effect under a key: attempted, or what became of it."""

    key: str
    args_digest: str
    tool_version_id: str
    state: str
    at: datetime
    dedupe_digest: str | None = None
    outcome_seq: int | None = None


class RunRow(NamedTuple):
    """The run's own columns after an append; ``calls`` is how many more were proposed."""

    state: str
    reason: str
    detail: str
    actions: list[dict[str, Any]]
    steps: int
    calls: int
    tokens: int
    usd: Decimal
    worked_ms: int
    now: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Projection:
    """The row changes of one append."""

    proposed: int = 0
    steps: dict[int, StepRow] = field(default_factory=dict)
    calls: dict[tuple[int, int], CallRow] = field(default_factory=dict)
    effects: dict[str, EffectRow] = field(default_factory=dict)

    def step(self, number: int) -> StepRow:
        return self.steps.setdefault(number, StepRow(number))

    def call(self, facts: dict[str, Any]) -> CallRow:
        key = (facts["step"], facts["call"])
        return self.calls.setdefault(key, CallRow(*key))


def project(projection: Projection, event: Event, after: RunState) -> None:
    """Note what one event changes; ``after`` is the state with the event folded in."""
    facts = event.facts
    if event.kind == e.MODEL_REQUESTED:
        _requested(projection.step(facts["step"]), event)
    elif event.kind == e.STEP_DECIDED:
        _decided(projection, event)
    elif event.kind == e.MODEL_FAILED:
        row = projection.step(facts["step"])
        if not facts.get("asked", True):  # an attempt, for which no model was there
            row.attempts, row.asked_at = facts["attempt"], row.asked_at or event.at
        row.state, row.code, row.usd, row.estimated = (
            "failed",
            facts["code"],
            Decimal(facts["usd"]),
            facts["estimated"],
        )
    elif "call" in facts:
        _call_changed(projection, event, after)


def _requested(row: StepRow, event: Event) -> None:
    facts = event.facts
    row.state, row.model, row.price_version = "asking", facts["model"], facts["price_version"]
    row.attempts, row.asked_at, row.code = facts["attempt"], event.at, ""


def _decided(projection: Projection, event: Event) -> None:
    facts, usage = event.facts, event.facts["usage"]
    row = projection.step(facts["step"])
    row.state, row.decided_at, row.decided_seq, row.code = "decided", event.at, event.seq, ""
    row.input_tokens, row.cached_tokens, row.output_tokens = usage["input"], usage["cached"], usage["output"]
    row.usd, row.estimated = Decimal(facts["usd"]), facts["estimated"]
    projection.proposed += len(facts["calls"])
    for proposed in facts["calls"]:
        call = projection.call({"step": facts["step"], "call": proposed["call"]})
        call.tool_name, call.args_digest, call.state = proposed["tool"], proposed["args_digest"], "proposed"
        call.proposed_at, call.decided_seq = event.at, event.seq


def _call_changed(projection: Projection, event: Event, after: RunState) -> None:
    facts = event.facts
    if facts["step"] != after.step_of(facts["call"]):
        return
    row, call = projection.call(facts), after.call(facts["call"])
    row.state = call.status
    code = call.code if call.settled else facts.get("code") or ""
    row.code = code[:CODE_LIMIT] or row.code
    if event.kind in (e.CALL_ALLOWED, e.CALL_GATED, e.CONFIRMATION_REQUESTED, e.CALL_STAGED):
        row.tool_version_id, row.effect = _version_called(facts), facts["effect"]
    elif event.kind == e.CALL_REFUSED:
        row.tool_version_id = _version_called(facts)
    if event.kind == e.CALL_EDITED:
        row.args_digest, row.decided_seq = call.args_digest, event.seq
    if "decision" in facts:
        row.decision, row.reasons = facts["decision"], facts["reasons"]
    if facts.get("approval"):
        row.approval_id = facts["approval"]
    if event.kind == e.ATTEMPT_STARTED:
        row.attempts, row.started_at = facts["attempt"], event.at
    if "held_until" in facts:
        row.held_until = call.retry_at
    if "latency_ms" in facts:
        row.latency_ms = facts["latency_ms"]
    if call.settled:
        row.ended_at, row.outcome_seq = event.at, event.seq
    _effect_changed(projection, event, call)


def _version_called(facts: dict[str, Any]) -> str | None:
    """Return of which version a call is; of one that a fork only recalls none, or it would count as the tool's use."""
    return None if "recalled" in facts else facts.get("tool_version")


def _effect_changed(projection: Projection, event: Event, call: CallState) -> None:
    """Keep the idempotency ledger in step: it knows writes only."""
    facts = event.facts
    if event.kind == e.ATTEMPT_STARTED and facts["effect"] != "read":
        state, outcome_seq = "started", None
    elif facts.get("key") and event.kind in _EFFECT_ENDS:
        state, outcome_seq = (
            _EFFECT_ENDS[event.kind] or ("succeeded" if facts["happened"] else "failed"),
            event.seq,
        )
    else:
        return
    projection.effects[facts["key"]] = EffectRow(
        facts["key"],
        call.args_digest,
        call.tool_version,
        state,
        event.at,
        facts.get("dedupe"),
        outcome_seq,
    )


# A key is in the facts of an outcome only when a write was attempted under it.
_EFFECT_ENDS = {
    e.CALL_SUCCEEDED: "succeeded",
    e.CALL_FAILED: "failed",
    e.CALL_UNKNOWN: "unknown",
    e.ATTEMPT_FAILED: "failed",
    e.OUTCOME_SETTLED: "",
}


def required_actions(state: RunState) -> list[dict[str, Any]]:
    """Return what the run waits for people to do; one that has ended may still have calls of unknown outcome."""
    actions: list[dict[str, Any]] = []
    if state.has_ended:
        return [
            {"type": "outcome", "step": state.step_of(call.number), "call": call.number}
            for call in state.unsettled_outcomes
        ]
    if state.is_under_review:
        return [{"type": "review", "id": state.change_set}]
    if state.extensible.asked:
        ends = state.extensible.expires_at
        actions.append({"type": "extension", "id": state.extensible.asked, "expires_at": ends})
    for call in state.open_calls:
        where = {"step": state.step_of(call.number), "call": call.number}
        if call.status == "waiting":
            actions.append({"type": "approval", "id": call.approval, **where, "expires_at": call.expires_at})
        elif call.status == "confirming":
            asked = {"type": "confirmation", "id": call.confirmation}
            actions.append({**asked, **where, "expires_at": call.expires_at})
        elif call.status == "asked":
            actions.append({"type": call.code, **where})
        elif call.status == "delegated":
            actions.append({"type": "run", "id": call.child, **where})
        elif call.status == "parked":
            actions.append({"type": "outcome", **where})
    return actions


def run_row(after: RunState, at: datetime, projection: Projection) -> RunRow:
    """Return the run's columns behind an append whose last event was noted at a time."""
    actions = required_actions(after)
    spent, ended_at = after.spent, at if after.has_ended else None
    reason = (
        REVIEW_CAPACITY if run_state(after) == "queued" and after.admission == "held_back" else after.reason
    )
    detail = after.exhausted if after.reason == "budget_reached" else ""
    return RunRow(
        run_state(after), reason, detail, actions, spent.steps, projection.proposed, spent.tokens, spent.usd,
        spent.worked_ms, at, ended_at,
    )  # fmt: skip


def run_state(state: RunState) -> str:
    """Return how the run shows: the words that developers know."""
    if state.has_ended:
        return state.ending
    if state.cancelling or state.killed:
        return "cancelling"
    if state.paused:
        return "paused"
    if (
        state.step == 0 and state.working_since is None and not state.extensible.asked
    ):  # no driver has been there yet
        return "queued"
    if state.is_under_review:
        return "requires_action"
    return "requires_action" if state.requires_people and state.waits_for_people else "in_progress"
