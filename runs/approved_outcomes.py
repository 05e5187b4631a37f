"""What became of calls that people approved, in words, for the pages of requests like them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from agentops.console.words import plain_word
from approvals.models import ApprovalRequest
from runs.models import ToolCall


def read_outcomes(requests: Sequence[ApprovalRequest]) -> Mapping[UUID, str]:
    """Return in words what became of each approved call, by request, in one statement."""
    runs = [run for request in requests if (run := _run_of(request.subject_ref))]
    approved = [request.pk for request in requests if request.state == ApprovalRequest.State.APPROVED]
    calls = ToolCall.objects.filter(run__in=runs, approval_id__in=approved)
    states = calls.values_list("approval_id", "state")
    return {approval: plain_word(state) for approval, state in states if approval is not None}


def _run_of(ref: str) -> UUID | None:
    try:
        return UUID(ref)
    except ValueError:
        return None
