"""Editing a call before approving it, in two steps, and asking the agent about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, TextField, read_body, render_row, render_rows
from agentops.api.views import ApiView
from approvals.api.serializers import DecidedSerializer, Document
from approvals.api.views import find_request
from approvals.closing import REASON_LIMIT
from approvals.edits import Look, edit_call, look_at_edit
from approvals.history import Change
from approvals.models import ApprovalDecision
from approvals.models.requests import Factor
from approvals.questions import ask_agent
from approvals.stages import DEFAULT_STAGES
from identities.api.authentication import caller, signature_of
from identities.factors import has_fresh_factor

SHOWN = "The digest of what you looked at."


class EditPreviewBody(BodySerializer):
    arguments = serializers.JSONField(help_text="All arguments, not only what is to differ.")
    digest = TextField(min_length=64, max_length=64, help_text=SHOWN)


class EditBody(EditPreviewBody):
    edited_digest = TextField(
        min_length=64, max_length=64, help_text="The digest of the edited call, as the preview gave it."
    )
    reason = TextField(
        required=False, default="", allow_blank=True, max_length=REASON_LIMIT,
        help_text="Why. The agent is told, and the record keeps it.",
    )  # fmt: skip


class QuestionBody(BodySerializer):
    question = TextField(
        min_length=1, max_length=REASON_LIMIT, help_text="What the agent is asked; it reads these words."
    )
    digest = TextField(min_length=64, max_length=64, help_text=SHOWN)


class ChangeSerializer(serializers.Serializer[Change]):
    """One argument before and after, by its dotted path; null where it is not given."""

    argument = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class AskedStageSerializer(serializers.Serializer[Document]):
    """So many of a group, or of all who may approve the tool's calls (null)."""

    needed = serializers.IntegerField()
    group = serializers.CharField(allow_null=True)


class LookSerializer(serializers.Serializer[Look]):
    """What the call would be: assessed like a proposal of the agent's. Nothing was kept."""

    digest = serializers.CharField(help_text="Send it as `edited_digest` to have the call made like this.")
    arguments = serializers.JSONField(
        source="assessment.call.arguments", help_text="As they would go out, with what was looked up in its place."
    )  # fmt: skip
    changes = ChangeSerializer(many=True)
    amount = serializers.DecimalField(20, 4, allow_null=True, source="assessment.amount")
    preview = serializers.SerializerMethodField(
        help_text="What it would change, as `evidence.preview` of an approval says it; null: the tool declares nothing."
    )
    asks_people = serializers.BooleanField(
        source="asks", help_text="False: the agent may do this by itself. True: your edit is the first yes."
    )
    stages = serializers.SerializerMethodField()
    factor = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_preview(self, look: Look) -> Document | None:
        return (look.words or {}).get("preview")

    @extend_schema_field(AskedStageSerializer(many=True))
    def get_stages(self, look: Look) -> list[Document]:
        stages = (look.rule.stages if look.rule else DEFAULT_STAGES) if look.asks else ()
        return render_rows(AskedStageSerializer, list(stages))

    @extend_schema_field(serializers.ChoiceField(Factor.choices))
    def get_factor(self, look: Look) -> str:
        return Factor.KEY if look.needs_key else Factor.ANY


class EditPreview(ApiView):
    """What a call would be with other arguments."""

    @extend_schema(
        operation_id="previewEdit",
        tags=["approvals"],
        request=EditPreviewBody,
        responses={200: LookSerializer},
    )
    def post(self, request: Request, approval_id: UUID) -> Response:
        """Return what the call would be: its new digest, what differs, whose yes it takes. Nothing is kept.

        Answers 422 with a sentence for arguments with which it may not go out, 409 where there is nothing to edit.
        """
        found, body = find_request(caller(request), approval_id), read_body(EditPreviewBody, request)
        look = look_at_edit(
            actor=caller(request), request=found, arguments=body["arguments"], digest=body["digest"]
        )
        return Response(render_row(LookSerializer, look))


class Edit(ApiView):
    """The decision to have a call made with other arguments."""

    @extend_schema(
        operation_id="editApproval", tags=["approvals"], parameters=[REQUIRED_IDEMPOTENCY_KEY], request=EditBody,
        responses=DecidedSerializer,
    )  # fmt: skip
    def post(self, request: Request, approval_id: UUID) -> Response:
        """Have the call made as you looked at it, as a person with a fresh second factor. It is your yes, too.

        The request is `edited`; where other people have to say yes, another request follows it, with what differs.
        """
        body = _read(request, EditBody)
        found = find_request(caller(request), approval_id)

        def act() -> Answer:
            edited = edit_call(
                actor=caller(request), request=found, arguments=body["arguments"], digest=body["digest"],
                edited=body["edited_digest"], reason=body["reason"], channel=ApprovalDecision.Channel.API,
                second_factor=has_fresh_factor(caller(request)),
                signature=signature_of(request, f"edit:{body['edited_digest']}"),
            )  # fmt: skip
            return Answer(200, render_row(DecidedSerializer, edited))

        return answer_once(request, Operation(f"approvals/{approval_id}/edit"), act, required=True)


class Question(ApiView):
    """A question to the agent, before anybody decides."""

    @extend_schema(
        operation_id="askAgent", tags=["approvals"], parameters=[REQUIRED_IDEMPOTENCY_KEY], request=QuestionBody,
        responses=DecidedSerializer,
    )  # fmt: skip
    def post(self, request: Request, approval_id: UUID) -> Response:
        """Ask the agent: the request is `asked`, its call is not made, and the run goes on with the question.

        The agent may answer and propose the call again, which makes another request. After three questions about a
        tool in one run it is 409 `asked_enough`.
        """
        body = _read(request, QuestionBody)
        found = find_request(caller(request), approval_id)

        def act() -> Answer:
            asked = ask_agent(
                actor=caller(request), request=found, question=body["question"], digest=body["digest"],
                channel=ApprovalDecision.Channel.API, second_factor=has_fresh_factor(caller(request)),
            )  # fmt: skip
            return Answer(200, render_row(DecidedSerializer, asked))

        return answer_once(request, Operation(f"approvals/{approval_id}/question"), act, required=True)


def _read(request: Request, kind: type[BodySerializer]) -> dict[str, Any]:
    read_key(request, required=True)
    return read_body(kind, request)
