"""Deciding a batch: confirmed once over its digest, then each request by itself, in pieces that may be taken up again.

Each request is looked at again under its lock, and gets what a single decision gives it: a row, an entry in its own
stream, and its run is woken. The confirmation is an entry of the batch's stream, with the list that was signed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agentops.console.second_factor import REQUIRED
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.many import record_many
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.text import is_blank
from approvals.attention import read_attentions
from approvals.batches.checks import APPROVE, Exclusion, find_exclusions
from approvals.batches.items import Became, digest_batch, list_batch, read_ready, save_items, weed
from approvals.batches.preparing import find_unopened, lock_own, read_candidates
from approvals.batches.seats import find_seats
from approvals.carrying import count_edit
from approvals.closing import REASON_LIMIT, seat_of, tell_seat
from approvals.models import (
    ApprovalBatch,
    ApprovalDecision,
    ApprovalRequest,
    ApprovalStage,
    BatchItem,
    SamplingRule,
    SecondLook,
)
from approvals.notices.approving import DECIDED
from approvals.notices.outbox import announce
from approvals.pace import require_rested
from approvals.passing_on import pass_on
from approvals.second_looks import draw_after, note_second_yes
from approvals.stages import STREAM_KIND, advance
from identities.models import User

BATCH_STREAM = "batch"
CHUNK = 500  # requests of one transaction: what is locked at a time, and lost if the process is killed
WAKE_MANY = "approvals.wake_many"
# What was not decided so long after the confirmation is looked at anew: the person is not there any more.
CONFIRMED_FOR = timedelta(minutes=10)
LEFT_ALONE_FOR = timedelta(seconds=30)  # whoever was at it after that has gone, and somebody else takes it up
State = BatchItem.State


def decide_batch(
    *,
    actor: User,
    batch: ApprovalBatch,
    digest: str,
    reason: str,
    channel: str,
    second_factor: bool,
    signature: Mapping[str, str] | None = None,
) -> ApprovalBatch:
    """Decide all that is ready in a batch, as its person, who was shown the list with this digest.

    Twice is once. Raises NotFound and PolicyDenied for who may not, StateConflict when the list is another one by
    now, or nothing is ready, ValidationFailed for a reason that is missing or too long.
    """
    confirm_batch(
        actor=actor, batch=batch, digest=digest, reason=reason, channel=channel, second_factor=second_factor,
        signature=signature,
    )  # fmt: skip
    return carry_on(batch)


@transaction.atomic
def confirm_batch(
    *,
    actor: User,
    batch: ApprovalBatch,
    digest: str,
    reason: str,
    channel: str,
    second_factor: bool,
    signature: Mapping[str, str] | None = None,
) -> ApprovalBatch:
    """Keep that the batch's person has confirmed it; ``carry_on`` decides. Raises as ``decide_batch`` says."""
    locked = lock_own(actor, batch)
    if locked.state != ApprovalBatch.State.DRAFT:
        _require_same(locked, digest)
        return locked
    _check_words(locked.verdict, reason)
    if not second_factor:
        raise PolicyDenied(REQUIRED, "confirm with your second factor, then decide again")
    ready = read_ready(locked)
    if not compare_digest(digest, digest_batch(locked, ready)):
        raise StateConflict("batch_changed", "the list has changed since you loaded it; look at it again")
    if not ready:
        raise StateConflict("nothing_ready", "none of these can be decided together")
    _refuse_unopened(locked)
    if locked.verdict == APPROVE:
        for team in (
            locked.items.filter(state=State.READY)
            .values_list("request__team", flat=True)
            .distinct()
            .order_by()
        ):
            require_rested(actor, team)
    now = timezone.now()
    facts: dict[str, Any] = {
        "verdict": locked.verdict,
        "digest": digest,
        "count": len(ready),
        "channel": channel,
    }
    facts |= {"signature": dict(signature)} if signature else {}
    record(locked.pk, BATCH_STREAM, Draft("batch.confirmed", now, facts, list_batch(locked, ready), actor.pk))
    locked.state, locked.digest, locked.reason = ApprovalBatch.State.CONFIRMED, digest, reason
    locked.channel, locked.confirmed_at = channel, now
    locked.save(update_fields=["state", "digest", "reason", "channel", "confirmed_at"])
    return locked


def _require_same(batch: ApprovalBatch, digest: str) -> None:
    if not compare_digest(digest, batch.digest):
        raise StateConflict(
            "batch_confirmed", "this batch was confirmed with another list; nothing was changed"
        )


def _check_words(verdict: str, reason: str) -> None:
    if len(reason) > REASON_LIMIT:
        raise ValidationFailed("reason_too_long", f"a reason has at most {REASON_LIMIT} characters")
    if verdict != APPROVE and is_blank(reason):
        raise ValidationFailed(
            "reason_missing", "say why you deny: the agents are told, and the record keeps it"
        )


def _refuse_unopened(batch: ApprovalBatch) -> None:
    """Refuse to approve what nobody has opened, whatever the preflight left ready."""
    if batch.verdict != APPROVE:
        return
    teams = batch.items.values("request__team")
    if SamplingRule.objects.filter(team__in=teams, ended_at__gt=batch.created_at).exists():
        detail = "how many have to be opened has changed meanwhile; put the batch together anew"
        raise StateConflict("sampling_changed", detail)
    ready = list(batch.items.filter(state=State.READY))
    if unopened := find_unopened(batch, ready):
        detail = f"{len(unopened)} of these have to be opened first; look at the list again"
        raise StateConflict("sample_not_opened", detail)


def _require_rested(batch: ApprovalBatch) -> None:
    """Refuse to approve calls of a team whose rule has this person rest."""
    if batch.verdict != APPROVE:
        return
    ready = batch.items.filter(state=State.READY).order_by()
    for team in ready.values_list("request__team", flat=True).distinct():
        require_rested(batch.person, team)


def carry_on(batch: ApprovalBatch) -> ApprovalBatch:
    """Decide what is still ready of a confirmed batch, piece by piece; one that is done, or not confirmed, stays."""
    while _decide_piece(batch.pk):
        pass
    return ApprovalBatch.objects.select_related("person").get(pk=batch.pk)


@transaction.atomic
def _decide_piece(batch_id: UUID) -> bool:
    """Decide the next piece; return whether there may be another. Who comes second waits, and finds less."""
    batch = ApprovalBatch.objects.select_for_update(of=("self",)).select_related("person").get(pk=batch_id)
    if batch.state != ApprovalBatch.State.CONFIRMED or batch.confirmed_at is None:
        return False
    now = timezone.now()
    items = list(batch.items.filter(state=State.READY).order_by("request_id")[:CHUNK])
    if not items:
        _finish(batch, now)
        return False
    if now - batch.confirmed_at > CONFIRMED_FOR:
        old = Exclusion("confirmation_old", "it was not decided in time after you confirmed: decide it anew")
        save_items(batch, weed(items, {item.request_id: old for item in items}))
        return True
    candidates = read_candidates(items, lock=True)
    exclusions = find_exclusions(batch.person, batch.verdict, candidates, now, is_locked=True)
    decided = [each.request for each in candidates if each.request.pk not in exclusions]
    outcomes = _decide_each(batch, decided, now)
    ids = {item.request_id: item.pk for item in items}
    save_items(batch, weed([item for item in items if item.request_id in exclusions], exclusions))
    save_items(batch, [Became(ids[pk], State.DECIDED, outcome=outcome) for pk, outcome in outcomes.items()])
    return True


def _decide_each(batch: ApprovalBatch, requests: Sequence[ApprovalRequest], now: datetime) -> dict[UUID, str]:
    """Record the decision about each, whose rows are locked, and close those that it settles; return what they are."""
    seen = read_attentions(requests, batch.person, now)
    seats = find_seats(batch.person, [request.pk for request in requests])
    taken = {request.pk: seat_of(seats.get(request.pk)) for request in requests}
    ApprovalDecision.objects.bulk_create(
        ApprovalDecision(
            request=request, verdict=batch.verdict, decided_by=batch.person, channel=batch.channel,
            digest=request.digest, decided_at=now, stage=request.stage,
            opened_s=seen[request.pk].opened_s, to_read=seen[request.pk].to_read, **taken[request.pk],
        )
        for request in requests
    )  # fmt: skip
    record_many(
        STREAM_KIND, {request.pk: _draft(batch, request, taken[request.pk], now) for request in requests}
    )
    _note_second_looks(batch, requests, now)
    settled = _find_settled(batch, requests, now)
    state = "approved" if batch.verdict == APPROVE else "denied"
    ids = [request.pk for request in settled]
    ApprovalRequest.objects.filter(pk__in=ids).update(state=state, decided_at=now)
    for request in settled:
        request.state = state
    announce(settled, DECIDED, now)
    if batch.verdict == APPROVE:
        draw_after(settled, now)
    _wake(settled)
    return {request.pk: request.state for request in requests} | dict.fromkeys(ids, state)


def _note_second_looks(batch: ApprovalBatch, requests: Sequence[ApprovalRequest], now: datetime) -> None:
    """Keep what is said by those of these decisions that are somebody's second look; they are few."""
    drawn = SecondLook.objects.filter(request__in=requests, stage=F("request__stage"), seen_at=None)
    looked_at = set(drawn.values_list("pk", flat=True))
    for request in requests:
        if request.pk in looked_at:
            note_second_yes(request, batch.person, batch.verdict, now)


def _draft(batch: ApprovalBatch, request: ApprovalRequest, taken: Mapping[str, UUID], now: datetime) -> Draft:
    facts = {
        "verdict": batch.verdict,
        "channel": batch.channel,
        "digest": request.digest,
        "stage": request.stage,
        "batch": str(batch.pk),
        **tell_seat(taken),
    }
    return Draft("approval.decided", now, facts, {"reason": batch.reason}, batch.person_id)


def _find_settled(
    batch: ApprovalBatch, requests: Sequence[ApprovalRequest], now: datetime
) -> list[ApprovalRequest]:
    """Return which requests this decision settles; those that go on to another stage do so."""
    if batch.verdict != APPROVE:
        return list(requests)
    needs = _read_stages(requests)
    yes = ApprovalDecision.objects.filter(request__in=requests, verdict=APPROVE)
    given = Counter(yes.values_list("request_id", "stage"))
    settled = []
    for request in requests:
        here, *later = needs[request.pk]
        if given[request.pk, request.stage] < here:
            continue
        # To go on to another stage takes statements of its own for each.
        if not later or advance(request, now):
            settled.append(request)
        else:
            count_edit(request, now)  # its editor may be asked in the next stage; that closes it by itself
    return settled


def _read_stages(requests: Sequence[ApprovalRequest]) -> dict[UUID, list[int]]:
    """Return how many people the present stage of each needs, and those after it."""
    present = {request.pk: request.stage for request in requests}
    needs: dict[UUID, list[int]] = defaultdict(list)
    for stage in ApprovalStage.objects.filter(request__in=requests).order_by("place"):
        if stage.place >= present[stage.request_id]:
            needs[stage.request_id].append(stage.needed)
    return needs


def _wake(requests: Sequence[ApprovalRequest]) -> None:
    """Wake what waits for these: one message for many, for it is a hint only."""
    refs: dict[str, list[str]] = defaultdict(list)
    for request in requests:
        refs[request.wake_task].append(request.subject_ref)
    for task, listed in refs.items():
        send_after_commit(WAKE_MANY, task, *listed)


def _finish(batch: ApprovalBatch, now: datetime) -> None:
    counted = Counter(batch.items.values_list("state", "code"))
    excluded = {code: number for (state, code), number in counted.items() if state == State.EXCLUDED}
    facts = {"decided": counted[State.DECIDED.value, ""], "excluded": excluded}
    record(batch.pk, BATCH_STREAM, Draft("batch.finished", now, facts, actor=batch.person_id))
    batch.state, batch.done_at, batch.reason = ApprovalBatch.State.DONE, now, ""
    batch.save(update_fields=["state", "done_at", "reason"])
    batch.groups.all().delete()  # the names of leaves, of which nothing is asked any more
    if batch.verdict == APPROVE:
        pass_on(batch.person, now)


def carry_on_unfinished(*, now: datetime) -> int:
    """Take up batches whose process has gone; return how many."""
    left = ApprovalBatch.objects.filter(
        state=ApprovalBatch.State.CONFIRMED, confirmed_at__lte=now - LEFT_ALONE_FOR
    )
    found = list(left.order_by("confirmed_at")[:10])
    for batch in found:
        carry_on(batch)
    return len(found)
