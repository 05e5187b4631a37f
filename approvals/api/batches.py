"""Deciding about many requests at once: groups, a batch with its preflight, the decision and its results."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import IDEMPOTENCY_KEY, REQUIRED_IDEMPOTENCY_KEY
from agentops.api.pagination import CursorPage, parse_number
from agentops.api.serializers import Fields, read_body, read_query, render_row, render_rows
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from approvals.api.batch_serializers import (
    BatchBody,
    BatchDecisionBody,
    BatchSerializer,
    GroupSerializer,
    ItemQuery,
    ItemSerializer,
    LeaveOutBody,
)
from approvals.batches.deciding import carry_on, confirm_batch
from approvals.batches.groups import arrange, read_decidable
from approvals.batches.items import about_batch
from approvals.batches.preparing import check_batch, leave_out, open_batch, read_sample
from approvals.models import ApprovalBatch, ApprovalDecision, ApprovalRequest
from identities.api.authentication import caller, signature_of
from identities.factors import has_fresh_factor
from identities.models import User

GROUPS = inline_serializer("ApprovalGroups", {"data": GroupSerializer(many=True)})


class Groups(ApiView):
    """What the caller could decide, in groups."""

    @extend_schema(operation_id="listApprovalGroups", tags=["approvals"], responses=GROUPS)
    def get(self, request: Request) -> Response:
        """List what you may decide now by tool and argument template, what is unusual first; at most 5,000 requests."""
        pairs = read_decidable(caller(request))
        tools = ApprovalRequest.objects.filter(pk__in=[each.pk for each, _ in pairs]).select_related(
            "tool", "tool_version"
        )
        loaded = tools.in_bulk()
        groups = arrange([(loaded[each.pk], asked) for each, asked in pairs if each.pk in loaded])
        return Response({"data": render_rows(GroupSerializer, groups)})


class Batches(ApiView):
    """The caller's batches."""

    @extend_schema(
        operation_id="openApprovalBatch",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=BatchBody,
        responses={201: BatchSerializer},
    )
    def post(self, request: Request) -> Response:
        """Put requests together that you want to decide alike, and see which of them may be. Nothing is decided."""
        body = read_body(BatchBody, request)
        chosen = {each["id"]: each["digest"] for each in body["approvals"]}

        def act() -> Answer:
            batch = open_batch(actor=caller(request), verdict=body["verdict"], chosen=chosen)
            location = reverse("api:approval-batch", args=[batch.pk])
            return Answer(201, _render(batch), location)

        return answer_once(request, Operation("approval-batches"), act)


class Batch(ApiView):
    """One batch."""

    @extend_schema(operation_id="getApprovalBatch", tags=["approvals"], responses=BatchSerializer)
    def get(self, request: Request, batch_id: UUID) -> Response:
        """Return a batch; one that is not confirmed as its last check found it, at `checked_at`."""
        return Response(_render(find_batch(caller(request), batch_id)))


class Check(ApiView):
    """What of a batch is ready now."""

    @extend_schema(
        operation_id="checkApprovalBatch",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=BatchSerializer,
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Look at each request of your batch again while it is a draft: what was opened meanwhile may be ready now.

        The decision checks each once more in any case.
        """
        batch = find_batch(caller(request), batch_id)

        def act() -> Answer:
            return Answer(200, _render(check_batch(actor=caller(request), batch=batch)))

        return answer_once(request, Operation(f"approval-batches/{batch_id}/check"), act)


class ByNumber(CursorPage):
    """In the order in which they were put together."""

    descending = False

    def parse(self, text: str) -> int:
        return parse_number(text)


class Items(ListView):
    """The requests of a batch."""

    query = ItemQuery
    pagination_class: ClassVar[type[CursorPage]] = ByNumber

    @extend_schema(
        operation_id="listApprovalBatchItems", tags=["approvals"], responses=ItemSerializer(many=True)
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        """List the requests of a batch: which are excluded and why, and what became of each."""
        rows = find_batch(caller(request), batch_id).items.filter(**read_query(self.query, request))
        return self.answer_page(request, rows, lambda found: render_rows(ItemSerializer, found))


class LeftOut(ApiView):
    """What is not to be decided with the others after all."""

    @extend_schema(
        operation_id="leaveOutOfApprovalBatch",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=LeaveOutBody,
        responses=BatchSerializer,
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Take requests out of your batch while it is a draft; they go on waiting, and the digest of the list changes.

        What was drawn of them has to be opened all the same. Answers 409 once the batch is confirmed.
        """
        batch = find_batch(caller(request), batch_id)
        out = read_body(LeaveOutBody, request)["approvals"]

        def act() -> Answer:
            return Answer(200, _render(leave_out(actor=caller(request), batch=batch, requests=out)))

        return answer_once(request, Operation(f"approval-batches/{batch_id}/leave-out"), act)


class BatchDecision(ApiView):
    """The decision about a batch."""

    @extend_schema(
        operation_id="decideApprovalBatch",
        tags=["approvals"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=BatchDecisionBody,
        responses=BatchSerializer,
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        """Decide all that is ready, as the batch's person with a fresh second factor; each is checked once more.

        Answers 409 when the list is not the one that the digest names, or when too little of it was opened. Asked
        again, it goes on where it was interrupted, and returns the batch as it stands then. A security key signs
        the list where `beginKeyProof` was told `batch-`, the verdict, a colon, and the digest.
        """
        read_key(request, required=True)
        batch = find_batch(caller(request), batch_id)
        body = read_body(BatchDecisionBody, request)

        def act() -> Answer:
            confirm_batch(
                actor=caller(request),
                batch=batch,
                digest=body["digest"],
                reason=body["reason"],
                channel=ApprovalDecision.Channel.API,
                second_factor=has_fresh_factor(caller(request)),
                signature=signature_of(request, about_batch(batch.verdict, body["digest"])),
            )
            return Answer(200, {"batch": str(batch.pk)})

        answer = answer_once(request, Operation(f"approval-batches/{batch_id}/decision"), act, required=True)
        answer.data = _render(carry_on(batch))  # in transactions of its own, behind the confirmation
        return answer


def find_batch(user: User, batch_id: UUID) -> ApprovalBatch:
    """Return a batch that the caller may see; raises NotFound."""
    found = ApprovalBatch.objects.visible_to(user).filter(pk=batch_id).select_related("person").first()
    if found is None:
        raise NotFound("unknown_batch", "There is no such batch, or it is not yours to see.")
    batch: ApprovalBatch = found
    return batch


def _render(batch: ApprovalBatch) -> Fields:
    is_draft = batch.state == ApprovalBatch.State.DRAFT
    counts = Counter(batch.items.values_list("state", flat=True))
    sample = read_sample(batch) if is_draft else ()
    return render_row(BatchSerializer, batch, counts=counts, sample=sample)
