"""The stages of a request: who is asked, who is asked next, and who else once nobody has answered for long enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import ApprovalDecision, ApprovalRequest, ApprovalRule, ApprovalStage, StageGroup
from approvals.notices.approving import ESCALATED, STAGE_PASSED
from approvals.notices.outbox import announce

STREAM_KIND = "approval"
# Where no rule says otherwise: one yes of whoever has the tool's calls to approve.
DEFAULT_STAGES: tuple[Mapping[str, Any], ...] = ({"needed": 1, "group": None, "escalate": []},)
NOBODY = 0  # no group has this id: a group that is gone has no members


def open_stages(
    request: ApprovalRequest, rule: ApprovalRule | None, now: datetime, *, is_looked_at_twice: bool = False
) -> list[ApprovalStage]:
    """Write down what a rule asks of a request, and open the first of its stages, which are returned.

    ``is_looked_at_twice``: one more person is asked at the end, whoever they are.
    """
    stages = DEFAULT_STAGES if rule is None else tuple(rule.stages)
    stages += DEFAULT_STAGES if is_looked_at_twice else ()
    ids = _find_groups(stages)
    made = [
        ApprovalStage(request=request, place=place, needed=stage["needed"], ladder=_ladder(stage, ids))
        for place, stage in enumerate(stages, start=1)
    ]
    ApprovalStage.objects.bulk_create(made)
    _climb(request, made[0], now, now)
    return made


def _find_groups(stages: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    names = {stage["group"] for stage in stages if stage.get("group")}
    names |= {step["group"] for stage in stages for step in stage.get("escalate", ())}
    return dict(Group.objects.filter(name__in=names).values_list("name", "pk")) if names else {}


def _ladder(stage: Mapping[str, Any], ids: Mapping[str, int]) -> list[list[int | None]]:
    """Return who may decide after how many seconds: at first a group, or (None) all who may approve at all."""
    name = stage.get("group")
    first: list[int | None] = [0, ids.get(name, NOBODY) if name else None]
    return [first, *([step["after_s"], ids.get(step["group"], NOBODY)] for step in stage.get("escalate", ()))]


def _climb(
    request: ApprovalRequest, stage: ApprovalStage, begun: datetime, now: datetime
) -> list[int | None]:
    """Let those decide whose time has come, and note when the next one's will; return who is new."""
    rungs = [(begun + timedelta(seconds=after_s), group) for after_s, group in stage.ladder]
    known = set(StageGroup.objects.filter(request=request, place=stage.place).values_list("group", flat=True))
    new = [group for at, group in rungs if at <= now and group not in known]
    StageGroup.objects.bulk_create(
        StageGroup(request=request, place=stage.place, group_id=group, opened_at=now) for group in new
    )
    request.stage, request.stage_at = stage.place, begun
    request.escalates_at = min((at for at, _ in rungs if at > now), default=None)
    request.save(update_fields=["stage", "stage_at", "escalates_at"])
    return new


def advance(request: ApprovalRequest, now: datetime) -> bool:
    """Go on to the next stage if the present one has its people, in the caller's lock; return whether all have."""
    stages = list(ApprovalStage.objects.filter(request=request, place__gte=request.stage).order_by("place"))
    if count_yes(request) < stages[0].needed:
        return False
    if len(stages) == 1:
        return True
    _climb(request, stages[1], now, now)
    record(request.pk, STREAM_KIND, Draft("approval.stage_passed", now, {"stage": stages[0].place}))
    announce([request], STAGE_PASSED, now)
    return False


def count_yes(request: ApprovalRequest) -> int:
    """Return how many have said yes in the present stage."""
    given = ApprovalDecision.objects.filter(
        request=request, stage=request.stage, verdict=ApprovalDecision.Verdict.APPROVE
    )
    return given.count()


def escalate_requests(*, now: datetime, limit: int = 200) -> int:
    """Let others decide too where nobody has for so long as the rule gave them; return of how many requests."""
    with transaction.atomic():
        waiting = ApprovalRequest.objects.filter(
            state="waiting", escalates_at__lte=now, expires_at__gt=now
        ).order_by("escalates_at")
        due = list(waiting.select_for_update(skip_locked=True)[:limit])
        for request in due:
            _escalate(request, now)
    return len(due)


def _escalate(request: ApprovalRequest, now: datetime) -> None:
    from approvals.carrying import count_edit  # which goes on to the next stage here

    stage = ApprovalStage.objects.get(request=request, place=request.stage)
    due_at = request.escalates_at
    new = _climb(request, stage, request.stage_at or request.created_at, now)
    facts = {"stage": stage.place, "groups": new}
    record(request.pk, STREAM_KIND, Draft("approval.escalated", now, facts))
    asked = Group.objects.filter(pk__in=[group for group in new if group]).order_by("name")
    told = {"asked": [*asked.values_list("name", flat=True)], "due_at": str(due_at)}
    announce([request], ESCALATED, now, told)
    count_edit(request, now)


@dataclass(frozen=True, slots=True)
class StageShown:
    """A stage as people see it: how many of how many have said yes, who is asked, and whether it is asked now."""

    place: int
    needed: int
    given: int
    groups: tuple[str, ...]
    is_present: bool


def read_stages(requests: Sequence[ApprovalRequest]) -> dict[UUID, list[StageShown]]:
    """Return the stages of requests, in order; without a group all who have the tool's calls to approve are asked."""
    ids = [request.pk for request in requests]
    yes = ApprovalDecision.objects.filter(
        request=OuterRef("request"), stage=OuterRef("place"), verdict=ApprovalDecision.Verdict.APPROVE
    )
    counted = yes.order_by().values("request").annotate(number=Count("pk")).values("number")
    stages = list(
        ApprovalStage.objects.filter(request__in=ids).annotate(given=Coalesce(Subquery(counted), 0))
    )
    has_more = any(
        after_s for stage in stages for after_s, _ in stage.ladder
    )  # else who is asked first is all
    opened = StageGroup.objects.filter(request__in=ids).values_list("request", "place", "group")
    open_to = set(opened) if has_more else set()
    groups = {group for stage in stages for _, group in stage.ladder if group}
    names = dict(Group.objects.filter(pk__in=groups).values_list("pk", "name")) if groups else {}
    present = {request.pk: request.stage for request in requests if request.state == "waiting"}

    def show(stage: Any) -> StageShown:  # Any: what is given is annotated
        where = (stage.request_id, stage.place)
        asked = [group for after_s, group in stage.ladder if not after_s or (*where, group) in open_to]
        shown = tuple(names.get(group, "a group that is gone") for group in asked if group is not None)
        is_present = present.get(stage.request_id) == stage.place
        return StageShown(stage.place, stage.needed, stage.given, shown, is_present)

    found: dict[UUID, list[StageShown]] = {request.pk: [] for request in requests}
    for stage in sorted(stages, key=lambda stage: stage.place):
        found[stage.request_id].append(show(stage))
    return found
