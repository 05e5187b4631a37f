"""How a run stands, in the protocol's words: which state, what is awaited and where, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from agentops.engine.state import LostAuthority
from runs.gateway.showing import show_waiting
from runs.models import Run, ToolCall
from runs.words import read_asked, read_ending

ERASED = "what came of it has been erased"
DEEPEST = 3  # tasks are given on no further than that
# Nobody but people can move these on, and they do so here, not in the caller's conversation.
_PEOPLE = {
    "approval": "A person has to approve this.",
    "confirmation": "The user has to confirm this, in the application that they use.",
    "extension": "A person has to decide whether it may go on at its limit.",
    "review": "People review what it proposes.",
}
_ENDED = {
    "completed": "COMPLETED",
    "cancelled": "CANCELED",
    "halted": "FAILED",
    "failed": "FAILED",
    "expired": "FAILED",
}
REJECTING = get_args(LostAuthority)
FINAL = frozenset({"COMPLETED", "CANCELED", "FAILED", "REJECTED"})

Action = Mapping[str, Any]  # Any: JSON


@dataclass(frozen=True, slots=True)
class Standing:
    """``state`` is a TASK_STATE without its prefix. ``words`` say what is awaited, or why there is no ``answer``."""

    run_id: UUID
    state: str
    at: datetime
    words: str = ""
    answer: str | None = None
    required: Sequence[Mapping[str, str]] = field(default=())
    reason: str = ""

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


def read_standing(run: Run) -> Standing:
    """Return how a run stands."""
    if run.has_ended:
        return _tell_end(run)
    awaited = list(_awaited(run, DEEPEST))
    asked = [where for where, action in awaited if action["type"] == "input" and where.pk == run.pk]
    if asked:
        return Standing(run.pk, "INPUT_REQUIRED", run.updated_at, _question_of(run))
    for_people = [(where, action) for where, action in awaited if action["type"] in _PEOPLE]
    if for_people:
        words = "\n\n".join(_tell_action(where, action) for where, action in for_people)
        required = tuple(_describe(action) for _, action in for_people)
        return Standing(run.pk, "AUTH_REQUIRED", run.updated_at, words, required=required)
    state = "SUBMITTED" if run.state == "queued" else "WORKING"
    return Standing(run.pk, state, run.updated_at, _WORKING.get(run.state, _note_rest(awaited)))


_WORKING = {"paused": "It rests, until a person lets it go on.", "cancelling": "It is being stopped."}


def _note_rest(awaited: Sequence[tuple[Run, Action]]) -> str:
    kinds = {action["type"] for _, action in awaited}
    if "handover" in kinds:
        return "A person has taken over, and will answer."
    return "A person has to find out what became of a call." if "outcome" in kinds else ""


def _awaited(run: Run, depth: int) -> Iterator[tuple[Run, Action]]:
    """Yield what a run and those that it gave tasks to wait for: nothing waits unseen because it is nested."""
    for action in run.required_actions:
        yield run, action
        if action["type"] == "run" and depth:
            child = Run.objects.filter(pk=action["id"]).first()
            if child is not None and not child.has_ended:
                yield from _awaited(child, depth - 1)


def _question_of(run: Run) -> str:
    places = [
        (run.pk, each["step"], each["call"]) for each in run.required_actions if each["type"] == "input"
    ]
    asked = read_asked(places)
    return asked.get(places[0], "The agent asks something; the words have been erased.")


def _tell_action(run: Run, action: Action) -> str:
    words = _PEOPLE[action["type"]]
    if "step" in action:
        call = ToolCall.objects.filter(run_id=run.pk, step=action["step"], number=action["call"]).first()
        shown = show_waiting(call) if call is not None else None
        words = f"{words}\n{shown.words}" if shown else words
    return words


def _describe(action: Action) -> dict[str, str]:
    told = {"type": str(action["type"]), "id": str(action["id"])}
    if action["type"] == "approval":
        page = reverse("admin:approvals_approvalrequest_change", args=[action["id"]])
        told["url"] = f"{settings.PUBLIC_URL}{page}"
    return told


def _tell_end(run: Run) -> Standing:
    ended, at = read_ending(run), run.ended_at or run.updated_at
    if run.state == "completed":
        answer = ended.get("answer")
        return Standing(run.pk, "COMPLETED", at, "" if answer else ERASED, answer)
    # Whoever acts has lost the right to: nothing else of it could have fared better.
    state = "REJECTED" if run.status_reason in REJECTING else _ENDED[run.state]
    words = str(ended.get("summary") or run.status_reason.replace("_", " ") or run.state)
    return Standing(run.pk, state, at, words, reason=run.status_reason)
