"""An edit counts as its editor's yes to what they made of the call: once, in the stage where they may give it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentops.text import is_blank
from approvals.closing import close, note_decision
from approvals.history import read_edit
from approvals.models import ApprovalRequest
from approvals.policies import MayDecide, may_decide
from approvals.stages import advance
from identities.models import User


def count_edit(request: ApprovalRequest, now: datetime) -> None:
    """Count the editor's edit in the stage that is asked now, in the caller's lock, and close what has all it needs.

    Only for the very call that they signed, in the seat in which they edited, and only while they still may. Whoever
    edited counts as nobody else: they decide once, and where the rule asks others those are asked.
    """
    if request.edited_by_id is None or request.follows_id is None or request.state != "waiting":
        return
    # Asked anew about the same call, people are asked anew: the editor's yes was counted in the request before.
    if ApprovalRequest.objects.filter(follows=request.follows_id).exclude(pk=request.pk).exists():
        return
    edit = read_edit(request.follows_id)
    if edit is None or edit.editor != request.edited_by_id or edit.digest != request.digest:
        return
    editor = User.objects.get(pk=edit.editor)
    signature = edit.facts.get("signature")
    seat = may_decide(editor, request, second_factor=True, signed=bool(signature))
    is_same_seat = _taken(seat) == edit.facts.get("absence")
    is_unexplained = request.reason_required and is_blank(edit.content["reason"])
    if not seat.allowed or not is_same_seat or is_unexplained:
        return
    facts: dict[str, Any] = {"verdict": "approve", "channel": edit.facts["channel"], "digest": request.digest}
    facts |= {"edit_of": str(edit.request), **({"signature": signature} if signature else {})}
    note_decision(request, editor, now, facts, {"reason": edit.content["reason"]}, seat, by_edit=True)
    if advance(request, now):
        close(request, "approved", now)


def _taken(seat: MayDecide) -> str | None:
    return str(seat.absence.pk) if seat.absence else None
