"""What came before a request: the edit that made its call, and what the agent was asked about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from agentops.canonical import canonical_json
from agentops.database import borrowed
from agentops.ledger.store import StoredEntry, read_entries
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


def find_asked(subject_ref: str, tool_id: UUID) -> ApprovalRequest | None:
    """Return the latest request of a subject about a tool, if it was closed by a question that nobody answered yet."""
    latest = ApprovalRequest.objects.filter(subject_ref=subject_ref, tool=tool_id).order_by(
        "-created_at", "-pk"
    )
    found: ApprovalRequest | None = latest.first()
    return found if found and found.state == ApprovalRequest.State.ASKED else None


def count_rounds(request: ApprovalRequest) -> int:
    """Return how often the agent was asked about a tool in this run."""
    asked = ApprovalRequest.objects.filter(
        subject_ref=request.subject_ref, tool=request.tool_id, state=ApprovalRequest.State.ASKED
    )
    return asked.count()


def _read_decided(request: UUID) -> StoredEntry | None:
    with borrowed() as connection, connection.cursor() as cursor:
        entries = read_entries(cursor, request, contents=True)
    return next((entry for entry in reversed(entries) if entry.kind == "approval.decided"), None)
