"""Runs that are examples to learn from, and the file that a model is tuned by. For people only."""

from __future__ import annotations

import json
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, NumberField, TextField, WordField, read_body, render_row
from agentops.api.views import ApiView
from identities.api.authentication import caller
from identities.api.views import find_agent
from runs.api.lookup import find_run
from runs.examples.sending import FileStream
from runs.examples.services import Export, Selection, decide_example, export_examples
from runs.models import Example


class JsonLinesRenderer(JSONRenderer):
    """Lets a view be asked for lines, which are streamed; renders only the problems that take their place."""

    media_type = "application/jsonl"
    format = "jsonl"


class ExampleSerializer(serializers.Serializer[Example]):
    """A person's word on whether steps of a run are an example to learn from."""

    run = serializers.UUIDField(source="run_id")
    verdict = serializers.ChoiceField(Example.Verdict.choices)
    steps = serializers.ListField(child=serializers.IntegerField())
    decided_by = serializers.CharField(source="decided_by.username")
    decided_at = serializers.DateTimeField()


class ExampleBody(BodySerializer):
    """Whether it is one, of which steps, and why."""

    verdict = WordField(Example.Verdict.choices)
    steps = serializers.ListField(
        child=NumberField(min_value=1, max_value=2**31 - 1), required=False, min_length=1, max_length=1_000,
        help_text="All that were decided, if absent.",
    )  # fmt: skip
    reason = TextField(min_length=1, max_length=2_000)


class ExportBody(BodySerializer):
    """Which examples, and what for; what is left out narrows nothing."""

    version = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    task = TextField(required=False, max_length=64)
    since = serializers.DateTimeField(required=False, help_text="Of runs that began then or later.")
    until = serializers.DateTimeField(required=False, help_text="Of runs that began earlier.")
    reason = TextField(min_length=1, max_length=2_000)


class ExportedSerializer(serializers.Serializer[Export]):
    """The file, line by line, and what is on the record of it."""

    runs = serializers.IntegerField()
    lines = serializers.IntegerField()
    left_out = serializers.IntegerField(help_text="Approved steps of which it is not known what was shown.")
    digest = serializers.CharField(help_text="SHA-256 of the file.")
    examples = serializers.ListField(
        child=serializers.DictField(),
        help_text="Conversations with their tools, as Chat Completions has them.",
    )


class ExampleDecision(ApiView):
    """Whether a run is an example."""

    @extend_schema(
        operation_id="decideExample",
        tags=["examples"],
        parameters=[IDEMPOTENCY_KEY],
        request=ExampleBody,
        responses={200: ExampleSerializer},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Approve or reject steps of a run that has ended as an example to learn from; said anew, it counts.

        It takes a right of its own. 409 `run_not_ended`, `erased`, `not_an_example`; 422 `unknown_step`.
        """
        actor, body = caller(request), read_body(ExampleBody, request)
        run = find_run(actor, run_id)

        def act() -> Answer:
            made = decide_example(actor=actor, run=run, **body)
            return Answer(200, render_row(ExampleSerializer, made))

        return answer_once(request, Operation(request.path), act)


class ExampleExport(ApiView):
    """The approved examples of an agent."""

    renderer_classes = (JSONRenderer, JsonLinesRenderer)

    @extend_schema(
        operation_id="exportExamples",
        tags=["examples"],
        request=ExportBody,
        responses={
            (200, "application/json"): ExportedSerializer,
            (200, "application/jsonl"): OpenApiResponse(
                {"type": "string"}, description="The file: one conversation on each line."
            ),
        },
    )
    def post(self, request: Request, agent_id: UUID) -> HttpResponseBase:
        """Export approved examples for fine-tuning; with `Accept: application/jsonl`, as the file itself.

        It takes a right of its own, and is on the record with the digest of the file. What was erased is not in it.
        422 `too_many_examples`.
        """
        actor, body = caller(request), read_body(ExportBody, request)
        agent, reason = find_agent(actor, pk=agent_id), body.pop("reason")
        made = export_examples(actor=actor, identity=agent, selection=Selection(**body), reason=reason)
        if isinstance(request.accepted_renderer, JsonLinesRenderer):
            return FileStream(made, agent.slug)
        lines = b"".join(made.chunks()).splitlines()
        told = {"runs": made.runs, "lines": made.lines, "left_out": made.left_out, "digest": made.digest}
        return Response({**told, "examples": [json.loads(line) for line in lines]})
