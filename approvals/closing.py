"""What every decision does with its request: find it, lock it, see that it is open and the one shown, close it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from approvals.attention import Attention, read_attention
from approvals.models import Absence, ApprovalDecision, ApprovalRequest
from approvals.notices.approving import DECIDED as TOLD_DECIDED
from approvals.notices.approving import EXPIRED as TOLD_EXPIRED
from approvals.notices.outbox import announce
from approvals.policies import MayDecide, may_decide
from approvals.second_looks import draw_after, note_second_yes
from approvals.stages import STREAM_KIND
from identities.models import User

REASON_LIMIT = 2_000
State = ApprovalRequest.State
TOO_LATE = "nobody answered in time; if the agent still needs it, it asks anew"
OVER = {
    State.EDITED: "somebody has edited its call",
    State.ASKED: "somebody has asked the agent about it",
    State.EXPIRED: TOO_LATE,
    State.VOIDED: "this request was withdrawn; if it is still wanted, people are asked anew",
}


def lock_visible(actor: User, request_id: UUID) -> ApprovalRequest:
    """Lock a request that the person may see; raises NotFound."""
    if not ApprovalRequest.objects.visible_to(actor).filter(pk=request_id).exists():
        raise NotFound("unknown_approval", "there is no such approval request")
    locked: ApprovalRequest = ApprovalRequest.objects.select_for_update().get(pk=request_id)
    return locked


def require_decider(
    actor: User, request: ApprovalRequest, *, second_factor: bool, signed: bool = True
) -> MayDecide:
    """Return in whose seat this person may decide about it now; raises PolicyDenied unless they may."""
    decision = may_decide(actor, request, second_factor=second_factor, signed=signed)
    if not decision.allowed:
        raise PolicyDenied(decision.code, decision.detail)
    return decision


def check_open(request: ApprovalRequest, digest: str, now: datetime) -> None:
    """Raise StateConflict unless it waits, and for the very call that the person was shown."""
    if request.state != State.WAITING:
        code = "approval_expired" if request.state == State.EXPIRED else "approval_decided"
        told = OVER.get(State(request.state), f"this request is {request.state}")
        raise StateConflict(code, f"{told}; nothing was changed")
    if now >= request.expires_at:
        raise StateConflict("approval_expired", f"{TOO_LATE}; nothing was changed")
    if digest != request.digest:
        raise StateConflict("digest_changed", "the call has changed since you loaded it; look at it again")


def check_words(words: str) -> None:
    """Raise ValidationFailed for more words than anybody reads."""
    if len(words) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")


def note_decision(
    request: ApprovalRequest,
    actor: User,
    now: datetime,
    facts: dict[str, Any],
    content: dict[str, Any],
    seat: MayDecide,
    *,
    by_edit: bool = False,
    unfolded: int | None = None,
) -> None:
    """Write a decision as a row and an entry; ``facts`` hold verdict, channel and the digest that was shown.

    ``unfolded``: how many parts of the page the person opened, where a browser says so.
    """
    taken = seat_of(seat.absence)
    seen = Attention(None, None) if by_edit else read_attention(request, actor, now)
    looked = {"opened_s": seen.opened_s, "to_read": seen.to_read, "unfolded": unfolded}
    ApprovalDecision.objects.create(
        request=request, decided_by=actor, decided_at=now, stage=request.stage, by_edit=by_edit,
        **{name: facts[name] for name in ("verdict", "channel", "digest", "preset") if name in facts}, **taken,
        **looked,
    )  # fmt: skip
    told = {
        **facts,
        "stage": request.stage,
        **tell_seat(taken),
        **{name: number for name, number in looked.items() if number is not None},
    }
    record(request.pk, STREAM_KIND, Draft("approval.decided", now, told, content, actor.pk))
    note_second_yes(request, actor, facts["verdict"], now)


def seat_of(absence: Absence | None) -> dict[str, UUID]:
    """Return the columns that say for whom somebody decided; none where it was for themselves."""
    return {} if absence is None else {"deputy_for_id": absence.absent_id, "absence_id": absence.pk}


def tell_seat(taken: Mapping[str, UUID]) -> dict[str, str]:
    """Return the same as facts of the decision's entry."""
    return {name.removesuffix("_id"): str(pk) for name, pk in taken.items()}


def close(request: ApprovalRequest, state: str, now: datetime) -> None:
    """Close a request, and wake what waits for it once that is committed."""
    request.state = state
    request.decided_at = now
    request.save(update_fields=["state", "decided_at"])
    if state == State.APPROVED:
        draw_after([request], now)
    send_after_commit(request.wake_task, request.subject_ref, queue="critical")
    announce([request], TOLD_EXPIRED if state == State.EXPIRED else TOLD_DECIDED, now)
