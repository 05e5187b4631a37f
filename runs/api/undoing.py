"""Undoing a run: what that would do, and doing it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, TextField, read_body, render_row, render_rows
from agentops.api.views import ApiView
from identities.api.authentication import caller
from identities.models import ApiKey
from runs.api.lookup import find_run, operation_on_run, show_run
from runs.api.serializers import RunSerializer
from runs.api.words import DECISIONS
from runs.undoing.services import foresee_undo, undo_run

WORDS = [
    ("will", "will be undone"),
    ("under_way", "is being undone"),
    ("done", "undone"),
    ("unsure", "perhaps undone: a person has to find out"),
    ("cannot", "cannot be undone"),
]


class UndoBody(BodySerializer):
    """Why it is to be undone; the record keeps it."""

    reason = TextField(max_length=1_000)


class ForeseenEffectSerializer(serializers.Serializer[Any]):  # Any: a Foreseen
    """One effect of a run, and what an undo would do about it."""

    step = serializers.IntegerField()
    call = serializers.IntegerField()
    tool = serializers.CharField()
    word = serializers.ChoiceField(WORDS)
    by = serializers.CharField(allow_blank=True, help_text="The tool that undoes it.")
    kind = serializers.ChoiceField(["reversible", "compensable"], allow_blank=True)
    why = serializers.CharField(allow_blank=True)
    policy = serializers.ChoiceField(
        DECISIONS,
        allow_blank=True,
        help_text="What would be decided about that call now, as if it were the only one; empty where none is to be "
        "made, or nobody can say before. A forecast: the policy is asked again when the call is made.",
    )
    policy_why = serializers.CharField(allow_blank=True, help_text="The last of its reasons.")


class ForeseenUndoSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """The effects of a run, the latest first: the order in which they are undone."""

    effects = ForeseenEffectSerializer(many=True)


class Undo(ApiView):
    """What a run has done, undone."""

    @extend_schema(operation_id="foreseeUndo", tags=["runs"], responses=ForeseenUndoSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Say of each effect of a run whether it can be undone, by what, and what the policy would say now.

        Nothing is changed, and nothing is promised: each call is assessed again when it is made.
        """
        actor = caller(request)
        found = foresee_undo(actor=actor, run=find_run(actor, run_id))
        effects = render_rows(ForeseenEffectSerializer, found)
        return Response(render_row(ForeseenUndoSerializer, {"effects": effects}))

    @extend_schema(
        operation_id="undoRun",
        tags=["runs"],
        parameters=[IDEMPOTENCY_KEY],
        request=UndoBody,
        responses={201: RunSerializer},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Start a run that undoes what this one has done, the latest effect first; follow it like any other.

        Only people may. 409 `run_not_ended`, `undo_under_way`, `nothing_to_undo`.
        """
        actor, body = caller(request), read_body(UndoBody, request)
        run = find_run(actor, run_id)
        credential = request.auth if isinstance(request.auth, ApiKey) else None

        def act() -> Answer:
            made = undo_run(actor=actor, run=run, reason=body["reason"], credential=credential)
            shown = show_run(made)
            return Answer(201, shown, shown["links"]["self"])

        return answer_once(request, operation_on_run(request.path), act)
