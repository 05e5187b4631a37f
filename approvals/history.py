"""What came before a request: the edit that made its call, and what the agent was asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.canonical import canonical_json
from agentops.database import borrowed
from agentops.ledger.store import StoredEntry, read_contents_for_people, read_entries
from approvals.models import ApprovalRequest

ROUNDS = 3  # so often people ask an agent about what it wants with one tool in one run; then they decide


@dataclass(frozen=True, slots=True)
class Change:
    """One argument before and after, by its path; None where it was or is not given."""

    argument: str
    before: Any  # Any: JSON
    after: Any


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit on record: who made it, the digest that they signed, and what they wrote."""

    request: UUID
    editor: UUID
    digest: str
    facts: Mapping[str, Any]  # Any: JSON
    content: Mapping[str, Any]


def read_edit(request: UUID) -> Edit | None:
    """Return the edit that closed a request, as it stands on record; None for none, or one whose words were erased."""
    found = _read_decided(request)
    if found is None or found.facts.get("verdict") != "edit" or found.actor is None or not found.content:
        return None
    return Edit(request, found.actor, found.facts["edited"], found.facts, found.content)


def find_changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[Change]:
    """Yield what differs, by dotted path; a list differs as a whole."""
    for name in dict.fromkeys([*before, *after]):
        old, new, where = before.get(name), after.get(name), f"{path}{name}"
        if isinstance(old, dict) and isinstance(new, dict):
            yield from find_changes(old, new, f"{where}.")
        elif canonical_json(old) != canonical_json(new) or (name in before) is not (name in after):
            yield Change(where, old, new)


def tell_edit(edit: Edit) -> dict[str, Any]:
    """Return an edit as the next request's evidence shows it."""
    content = edit.content
    changes = [asdict(change) for change in find_changes(content["before"], content["arguments"])]
    return {
        "by": content["by"],
        "request": str(edit.request),
        "changes": changes,
        "reason": content["reason"],
    }


def read_question(request: UUID) -> tuple[str, str]:
    """Return what the agent was asked when a request was closed, and by whom; empty where that was erased."""
    found = _read_decided(request)
    content = (found.content if found else None) or {}
    return str(content.get("question", "")), str(content.get("by", ""))


def find_asked(subject_ref: str, tool_id: UUID, key: str, arguments: Mapping[str, Any]) -> list[UUID]:
    """Return the requests whose questions a subject's call of a tool answers, the oldest first.

    That is the one about the very same arguments. A call with others answers all that none has answered: which of
    several calls it was made of nobody has said. That people are asked anew, under the same key, is no answer.
    """
    this = canonical_json(arguments)
    asked = ApprovalRequest.objects.filter(
        subject_ref=subject_ref, tool=tool_id, state=ApprovalRequest.State.ASKED
    ).order_by("created_at", "pk")
    answers = {request.pk: _read_answers(request, key) for request in asked}  # of ROUNDS at most
    same = [pk for pk, given in answers.items() if this not in given and _read_arguments(pk) == this]
    return same or [pk for pk, given in answers.items() if not given]


def _read_answers(request: ApprovalRequest, key: str) -> list[bytes]:
    others = request.followed_by.exclude(key=key)
    return [_read_arguments(pk) for pk in others.values_list("pk", flat=True)]


def read_evidence_of(request: UUID) -> dict[str, Any] | None:
    """Return what people are shown of the request with this id, or None when it was erased."""
    with connection.cursor() as cursor:
        found = read_contents_for_people(cursor, request, [1])
    content: dict[str, Any] | None = found.get(1)
    return content


def _read_arguments(request: UUID) -> bytes:
    return canonical_json((read_evidence_of(request) or {}).get("arguments"))


def count_rounds(request: ApprovalRequest) -> int:
    """Return how often the agent was asked about a tool in this run."""
    asked = ApprovalRequest.objects.filter(
        subject_ref=request.subject_ref, tool=request.tool_id, state=ApprovalRequest.State.ASKED
    )
    return asked.count()


def _read_decided(request: UUID) -> StoredEntry | None:
    with borrowed() as lent, lent.cursor() as cursor:
        entries = read_entries(cursor, request, contents=True)
    return next((entry for entry in reversed(entries) if entry.kind == "approval.decided"), None)
