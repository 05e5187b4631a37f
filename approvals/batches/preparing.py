"""Putting a batch together: what was chosen, what of it has to be opened by itself, and the preflight."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from approvals.batches.checks import (
    APPROVE,
    NOT_OPENED,
    SAMPLE_NOT_OPENED,
    Candidate,
    Exclusion,
    find_exclusions,
)
from approvals.batches.groups import MOST_ITEMS, name_groups, read_decidable
from approvals.batches.items import save_items, weed
from approvals.batches.noting import note_check
from approvals.batches.opened import read_opened
from approvals.batches.sampling import draw_group
from approvals.batches.sealed import Pair, read_pairs
from approvals.models import (
    ApprovalBatch,
    ApprovalDecision,
    ApprovalRequest,
    BatchItem,
    OpenedRequest,
    SamplingRule,
)
from identities.models import User
from identities.querysets import is_known_person

State, Opening = BatchItem.State, BatchItem.Opening


@transaction.atomic
def open_batch(*, actor: User, verdict: str, chosen: Mapping[UUID, str]) -> ApprovalBatch:
    """Put requests together that somebody wants to decide alike, and say which of them may be.

    ``chosen`` are requests with the digest of each that the person was shown. Raises NotFound for one that is not
    theirs to see, ValidationFailed for none, or for more than 5,000.
    """
    if verdict not in ApprovalDecision.Verdict.values:
        raise ValidationFailed("bad_verdict", "a verdict is approve or deny")
    if not is_known_person(actor):
        raise PolicyDenied("not_a_person", "only people decide; service accounts never do")
    if not chosen:
        raise ValidationFailed("bad_batch", "no request was chosen: choose at least one to review")
    if len(chosen) > MOST_ITEMS:
        raise ValidationFailed(
            "bad_batch", f"a batch holds at most {MOST_ITEMS} requests, {len(chosen)} were chosen"
        )
    pairs = read_pairs(_find(actor, chosen))
    batch = ApprovalBatch.objects.create(person=actor, verdict=verdict, created_at=timezone.now())
    BatchItem.objects.bulk_create(
        BatchItem(batch=batch, request=request, digest=chosen[request.pk], group=group)
        for request, group in _with_groups(pairs)
    )
    if verdict == APPROVE:
        _draw_samples(batch, pairs)
    candidates = [Candidate(request, asked, chosen[request.pk]) for request, asked in pairs]
    _keep_ready(batch, list(batch.items.exclude(state=State.LEFT_OUT)), candidates)
    return batch


def _find(actor: User, chosen: Iterable[UUID]) -> list[ApprovalRequest]:
    ids = list(chosen)
    rows = ApprovalRequest.objects.visible_to(actor).filter(pk__in=ids)
    found = list(rows.order_by("created_at"))
    if missing := set(ids) - {request.pk for request in found}:
        told = ", ".join(sorted(map(str, missing))[:3])
        raise NotFound("unknown_approval", f"there is no such approval request: {told}")
    return found


def _with_groups(pairs: Sequence[Pair]) -> Iterable[tuple[ApprovalRequest, str]]:
    named = name_groups(pairs)
    return ((request, named[request.pk]) for request, _ in pairs)


def _draw_samples(batch: ApprovalBatch, pairs: Sequence[Pair]) -> None:
    """Draw what has to be opened, of all that waits in each group: whoever chooses the batch chooses no sample."""
    rules = list(SamplingRule.objects.standing().filter(team__in={request.team_id for request, _ in pairs}))
    tools = {request.tool_id for request, _ in pairs} if rules else set()
    chosen = {request.pk for request, _ in pairs}
    others = [pair for pair in read_decidable(batch.person, tools=tools) if pair[0].pk not in chosen]
    everybody = [*pairs, *others]
    named = name_groups(everybody)
    groups: dict[str, list[Pair]] = defaultdict(list)
    for pair in everybody:
        groups[named[pair[0].pk]].append(pair)
    drawn, each = set[UUID](), set[UUID]()
    for group in groups.values():
        if any(request.pk in chosen for request, _ in group):
            sample, others_of_it = draw_group(rules, group)
            drawn |= sample
            each |= others_of_it & chosen
    batch.items.filter(request__in=each).update(opening=Opening.EACH)
    batch.items.filter(request__in=drawn & chosen).update(opening=Opening.DRAWN)
    _keep_beside(batch, [request for request, _ in others if request.pk in drawn], named)


def _keep_beside(batch: ApprovalBatch, drawn: Iterable[ApprovalRequest], named: Mapping[UUID, str]) -> None:
    """Keep what was drawn and not chosen beside the batch, for it is to be opened too."""
    BatchItem.objects.bulk_create(
        BatchItem(
            batch=batch, request=request, digest=request.digest, group=named[request.pk], opening=Opening.DRAWN,
            state=State.LEFT_OUT,
        )
        for request in drawn
    )  # fmt: skip


@transaction.atomic
def prepare_batch(batch: ApprovalBatch) -> ApprovalBatch:
    """Look at each item again, and keep which are ready and why the others are not; nothing is decided."""
    rows = ApprovalBatch.objects.select_for_update(of=("self",)).select_related("person")
    locked: ApprovalBatch = rows.get(pk=batch.pk)
    if locked.state == ApprovalBatch.State.DRAFT:
        items = list(locked.items.exclude(state=State.LEFT_OUT))
        _keep_ready(locked, items, read_candidates(items))
    return locked


def _keep_ready(batch: ApprovalBatch, items: Sequence[BatchItem], candidates: Sequence[Candidate]) -> None:
    now = timezone.now()
    exclusions = find_exclusions(batch.person, batch.verdict, candidates, now, is_locked=False)
    if batch.verdict == APPROVE:
        exclusions |= find_unopened(batch, [item for item in items if item.request_id not in exclusions])
    save_items(batch, weed(items, exclusions))
    note_check(batch, [each for each in candidates if each.request.pk not in exclusions], now)


def read_candidates(items: Sequence[BatchItem], *, lock: bool = False) -> list[Candidate]:
    """Return the requests of items as the checks take them; locked in the order of their ids, if asked for."""
    shown = {item.request_id: item.digest for item in items}
    rows = ApprovalRequest.objects.filter(pk__in=shown).order_by("pk")
    if lock:
        rows = rows.select_for_update()
    return [Candidate(request, asked, shown[request.pk]) for request, asked in read_pairs(list(rows))]


def find_unopened(batch: ApprovalBatch, items: Sequence[BatchItem]) -> dict[UUID, Exclusion]:
    """Return what may not be approved unseen, because too few of its group were opened by themselves."""
    opened = read_opened(batch.person, [item.request_id for item in items])
    missing = Counter(item.group for item in read_sample(batch) if not item.is_opened)
    found = {}
    for item in items:
        if (item.request_id, item.digest) in opened:
            continue
        if item.opening != Opening.FREE:
            found[item.request_id] = Exclusion(
                NOT_OPENED, "it has to be opened by itself before it is approved with others"
            )
        elif left := missing[item.group]:
            found[item.request_id] = Exclusion(
                SAMPLE_NOT_OPENED, f"of the sample that was drawn of its group {left} are left to open"
            )
    return found


def read_sample(batch: ApprovalBatch) -> Sequence[Any]:  # Any: items with an annotation
    """Return the items that were drawn, chosen or not, each with whether it ``is_opened``."""
    return list(find_sample(batch).select_related("request__tool", "request__identity"))


def find_sample(batch: ApprovalBatch) -> QuerySet[Any]:  # Any: as above
    """Return the set of them.

    One that waits no more cannot be opened, and is not waited for, unless this person decided it unseen.
    """
    seen = OpenedRequest.objects.filter(person=batch.person_id, request=OuterRef("request"))
    theirs = ApprovalDecision.objects.filter(decided_by=batch.person_id, request=OuterRef("request"))
    is_opened = Exists(seen) | (~Q(request__state="waiting") & ~Exists(theirs))
    return batch.items.filter(opening=Opening.DRAWN).annotate(is_opened=is_opened)


@transaction.atomic
def leave_out(*, actor: User, batch: ApprovalBatch, requests: Iterable[UUID]) -> ApprovalBatch:
    """Take requests out of a batch that is not confirmed yet; what was drawn of them has to be opened all the same.

    Raises NotFound where one is not in it, StateConflict once it is confirmed; nothing is changed then.
    """
    chosen = set(requests)
    locked = lock_own(actor, batch)
    if locked.state != ApprovalBatch.State.DRAFT:
        raise StateConflict("batch_confirmed", "this batch is confirmed; nothing was changed")
    if missing := chosen - set(locked.items.values_list("request_id", flat=True)):
        raise NotFound("unknown_approval", f"not in this batch: {', '.join(sorted(map(str, missing))[:3])}")
    locked.items.filter(request__in=chosen).update(state=State.LEFT_OUT, code="", detail="")
    return prepare_batch(locked)


@transaction.atomic
def check_batch(*, actor: User, batch: ApprovalBatch) -> ApprovalBatch:
    """Look at each item of one's own draft again, as ``prepare_batch`` does."""
    return prepare_batch(lock_own(actor, batch))


def lock_own(actor: User, batch: ApprovalBatch) -> ApprovalBatch:
    """Lock a batch. Raises NotFound for one that is not theirs to see, PolicyDenied for somebody else's."""
    if not ApprovalBatch.objects.visible_to(actor).filter(pk=batch.pk).exists():
        raise NotFound("unknown_batch", "there is no such batch")
    locked: ApprovalBatch = ApprovalBatch.objects.select_for_update().get(pk=batch.pk)
    if locked.person_id != actor.pk:
        raise PolicyDenied("not_your_batch", "only who put a batch together decides it")
    return locked
