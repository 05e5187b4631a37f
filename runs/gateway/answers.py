"""What has become of a call of an agent outside, as far as anybody can say by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from agentops.engine import events as e
from agentops.ledger.store import read_contents_for_people, read_entries_for_people
from runs.gateway.blocks import find_digests
from runs.gateway.showing import Shown, show_waiting
from runs.models import ReceivedCall, Run, ToolCall
from runs.parts import read_parts

Status = Literal["working", "waiting", "succeeded", "failed"]
ERASED = "what came of it has been erased"
# Nobody but a person can move these on.
PARKED = "parked"
_WORDS = {
    "outcome_unknown": "nobody knows whether it happened; a person has to find out",
    "in_progress": "it is being worked on; make the same call again to learn how it ended",
    "held": "it goes out at {} unless a person vetoes it; make the same call again to learn how it ended",
    "asked_back": "it was not made: a person who reviews your calls, not your user, asks: {} If it is still right, "
    "make it again, with your answer as its reason",
    "confirmation_required": "the user has to confirm this in the application that they use; make the same call again "
    "to learn what they said",
    "approval_required": "a person has to approve this; make the same call again to learn what they decided",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """``value`` is the tool's result. ``code`` says what went wrong or is awaited, ``detail`` says it in words.

    ``has_blocks``: the value is a list of blocks of content; ``parts`` are the bytes of theirs that are still kept.
    """

    status: Status
    value: Any = None  # Any: JSON
    code: str = ""
    detail: str = ""
    approval: UUID | None = None
    was_replayed: bool = False
    has_blocks: bool = False
    edited: Mapping[str, Any] | None = None  # Any: JSON. The arguments that a person gave it, and why
    parts: Mapping[str, bytes] = field(default_factory=dict)
    shown: Shown | None = None  # of a call that waits for a decision

    @property
    def is_settled(self) -> bool:
        """Whether it will stay so."""
        return self.status in ("succeeded", "failed")

    @property
    def url(self) -> str:
        """Return where people decide about the call, or nothing."""
        if self.approval is None:
            return ""
        return (
            f"{settings.PUBLIC_URL}{reverse('admin:approvals_approvalrequest_change', args=[self.approval])}"
        )


def read_answer(received: ReceivedCall) -> Answer:
    """Return how the call stands."""
    call = ToolCall.objects.filter(run_id=received.run_id, step=received.number).first()
    if call is not None and call.outcome_seq is not None:
        return replace(_read_outcome(received.run_id, call), edited=_read_edit(received.run_id, call))
    ended = Run.objects.only("state", "status_reason").get(pk=received.run_id)
    if ended.has_ended:
        return _never_made(ended, call)
    if call is not None and call.state == "waiting":
        return _wait_for("approval_required", call, call.approval_id)
    if call is not None and call.state == "confirming":
        return _wait_for("confirmation_required", call)
    if call is not None and call.state == PARKED:
        return Answer("waiting", None, "outcome_unknown", _WORDS["outcome_unknown"])
    if call is not None and call.state == "held" and call.held_until is not None:
        until = call.held_until.isoformat(timespec="seconds")
        return Answer("working", None, "in_progress", _WORDS["held"].format(until))
    return Answer("working", None, "in_progress", _WORDS["in_progress"])


def _wait_for(code: str, call: ToolCall, approval: UUID | None = None) -> Answer:
    return Answer("waiting", None, code, _WORDS[code], approval, shown=show_waiting(call))


def look(received: ReceivedCall) -> Answer:
    """Return how the call stands, to be told to its client: once it has ended, that was told."""
    answer = read_answer(received)
    if answer.is_settled:
        mark_answered(received)
    return answer


def mark_answered(received: ReceivedCall) -> None:
    """Note that the client was told how the call ended: whoever says the same again means another call."""
    waiting = ReceivedCall.objects.filter(run_id=received.run_id, number=received.number, answered_at=None)
    waiting.update(answered_at=timezone.now())


def _never_made(run: Run, call: ToolCall | None) -> Answer:
    if call is not None and call.state in ("started", "unknown", "parking", PARKED):
        return Answer("failed", None, "outcome_unknown", _WORDS["outcome_unknown"])
    reason = run.status_reason or run.state
    return Answer("failed", None, reason, f"the conversation ended before the call was made: {reason}")


def _read_outcome(run_id: UUID, call: ToolCall) -> Answer:
    with connection.cursor() as cursor:
        before = (call.outcome_seq or 1) - 1
        [entry] = read_entries_for_people(cursor, run_id, after=before, limit=1, contents=True)
    kind, facts, content = entry.kind, entry.facts, entry.content or {}
    if kind == e.CALL_SUCCEEDED:
        if "value" not in content:
            return Answer("succeeded", ERASED, "erased")
        return _succeeded(run_id, facts, content)
    if kind == e.OUTCOME_SETTLED:
        return _settled_by_person(facts)
    if kind == e.CALL_VETOED:
        return Answer("failed", None, call.code, str(content.get("reason", "")))
    if kind == e.CALL_ASKED_BACK:
        question = str(content.get("question", ERASED))
        return Answer("failed", None, call.code, _WORDS["asked_back"].format(question))
    return Answer("failed", content.get("value"), facts.get("code", ""), str(content.get("detail", "")))


def _read_edit(run_id: UUID, call: ToolCall) -> Mapping[str, Any] | None:
    """Return what a person made of the call before it was decided; None where nobody edited it, or it was erased."""
    with connection.cursor() as cursor:
        content = (
            read_contents_for_people(cursor, run_id, [call.decided_seq or 0]).get(call.decided_seq or 0) or {}
        )
    if "before" not in content:
        return None
    return {"arguments": content["calls"][0]["arguments"], "reason": content.get("reason", "")}


def _succeeded(run_id: UUID, facts: dict[str, Any], content: dict[str, Any]) -> Answer:  # Any: JSON
    value, was_replayed = content["value"], bool(facts.get("replayed"))
    if not content.get("has_blocks"):
        return Answer("succeeded", value, was_replayed=was_replayed)
    with connection.cursor() as cursor:
        parts = read_parts(cursor, run_id, find_digests(value))
    return Answer("succeeded", value, was_replayed=was_replayed, has_blocks=True, parts=parts)


def _settled_by_person(facts: dict[str, Any]) -> Answer:  # Any: JSON
    if facts["happened"]:
        return Answer("succeeded", "a person found that it has happened", "settled_by_person")
    return Answer("failed", None, "settled_by_person", "a person found that it has not happened")
