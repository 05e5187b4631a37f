"""What can happen to a run. Kinds are past tense; facts are the non-personal JSON of the ledger entry."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

RUN_STARTED = "run.started"
MESSAGE_RECEIVED = "message.received"
CALL_RECEIVED = "call.received"
INPUT_RECEIVED = "input.received"
HANDOVER_ANSWERED = "handover.answered"
HANDOVER_CLOSED = "handover.closed"
OUTCOME_SETTLED = "outcome.settled"
CALL_VETOED = "call.vetoed"
CHANGES_SENT_BACK = "changes.sent_back"
CHANGES_SETTLED = "changes.settled"
RUN_PAUSED = "run.paused"
RUN_UNPAUSED = "run.unpaused"
CANCEL_REQUESTED = "run.cancel_requested"
RUN_KILLED = "run.killed"
BUDGET_EXTENDED = "budget.extended"
EXTENSION_REFUSED = "budget.extension_refused"

RUN_HELD_BACK = "run.held_back"
RUN_ADMITTED = "run.admitted"
MODEL_REQUESTED = "model.requested"
STEP_DECIDED = "step.decided"
PLAN_FROZEN = "plan.frozen"
MODEL_FAILED = "model.failed"
SUMMARY_REQUESTED = "summary.requested"
SUMMARY_WRITTEN = "summary.written"
SUMMARY_FAILED = "summary.failed"
EMBEDDING_REQUESTED = "embedding.requested"
EMBEDDING_MADE = "embedding.made"
EMBEDDING_FAILED = "embedding.failed"
CALL_ALLOWED = "call.allowed"
CALL_GATED = "call.gated"
CALL_REFUSED = "call.refused"
CALL_HELD = "call.held"
CALL_ASKED = "call.asked"
CONFIRMATION_REQUESTED = "confirmation.requested"
CONFIRMATION_GIVEN = "confirmation.given"
CONFIRMATION_REFUSED = "confirmation.refused"
CALL_STAGED = "call.staged"
CHANGES_OFFERED = "changes.offered"
APPROVAL_GRANTED = "approval.granted"
APPROVAL_REFUSED = "approval.refused"
CALL_EDITED = "call.edited"
CALL_ASKED_BACK = "call.asked_back"
ATTEMPT_STARTED = "attempt.started"
ATTEMPT_FAILED = "attempt.failed"
CALL_DEFERRED = "call.deferred"
CALL_DELEGATED = "call.delegated"
CALLED_OFF = "call.called_off"
CALL_AWAITED = "call.awaited"
CALL_SUCCEEDED = "call.succeeded"
CALL_FAILED = "call.failed"
CALL_UNKNOWN = "call.unknown"
CALL_PARKED = "call.parked"
RESULT_READ = "result.read"
MEMORY_RECALLED = "memory.recalled"
MEMORY_WRITTEN = "memory.written"
BUDGET_BOUND = "budget.bound"
BUDGET_DRAWN = "budget.drawn"
BUDGET_RETURNED = "budget.returned"
BUDGET_EXHAUSTED = "budget.exhausted"
LIMIT_REACHED = "run.limit_reached"
AUTHORITY_LOST = "authority.lost"

RUN_COMPLETED = "run.completed"
RUN_HALTED = "run.halted"
RUN_FAILED = "run.failed"
RUN_CANCELLED = "run.cancelled"
RUN_EXPIRED = "run.expired"

ENDINGS = {
    RUN_COMPLETED: "completed",
    RUN_HALTED: "halted",
    RUN_FAILED: "failed",
    RUN_CANCELLED: "cancelled",
    RUN_EXPIRED: "expired",
}

# Not yet carried out when it is written: if the stream moved meanwhile, it is decided anew.
INTENTS = frozenset(
    (
        RUN_HELD_BACK,
        RUN_ADMITTED,
        MODEL_REQUESTED,
        SUMMARY_REQUESTED,
        EMBEDDING_REQUESTED,
        # Written with rows that may have been taken back meanwhile, or are one too many.
        MEMORY_RECALLED,
        MEMORY_WRITTEN,
        ATTEMPT_STARTED,
        CALL_DELEGATED,
        CALL_GATED,
        CONFIRMATION_REQUESTED,
        LIMIT_REACHED,
        CALL_STAGED,
        CHANGES_OFFERED,
        BUDGET_DRAWN,
        BUDGET_RETURNED,
        *ENDINGS,
    )
)
OF_ESCROW = frozenset((BUDGET_BOUND, BUDGET_DRAWN, BUDGET_RETURNED))
BY_PEOPLE = frozenset(
    (
        RUN_STARTED,
        MESSAGE_RECEIVED,
        CALL_RECEIVED,
        INPUT_RECEIVED,
        HANDOVER_ANSWERED,
        HANDOVER_CLOSED,
        OUTCOME_SETTLED,
        CALL_VETOED,
        CHANGES_SENT_BACK,
        CHANGES_SETTLED,
        RUN_PAUSED,
        RUN_UNPAUSED,
        CANCEL_REQUESTED,
        RUN_KILLED,
        BUDGET_EXTENDED,
        EXTENSION_REFUSED,
    )
)

ASK_USER = "ask_user"
HAND_OVER = "hand_over"
# Not offered beside others: the planner declares a plan before it sees anything but the user's words.
DECLARE_PLAN = "declare_plan"
# Offered once a result was too long to be shown whole.
READ_RESULT = "read_result"
# Offered where the version has a memory.
REMEMBER, RECALL = "remember", "recall"
BUILT_IN_TOOLS = {ASK_USER: "input", HAND_OVER: "handover"}


class Event(NamedTuple):
    """One ledger entry as the engine sees it: without its personal content."""

    seq: int
    kind: str
    facts: dict[str, Any]  # JSON
    at: datetime
