"""Evaluation sets, versions that are tried by them, and two such trials side by side. For people only."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    AmountField,
    BodySerializer,
    Fields,
    NumberField,
    QuerySerializer,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from identities.api.authentication import caller
from identities.api.proposals.serializers import EmptyBody
from runs.api.lookup import find_version
from runs.evaluation.comparing import FIGURES, Beside, Comparison, OfCase, compare
from runs.evaluation.evaluating import (
    MOST_REPEATS,
    Trial,
    evaluate,
    find_before,
    find_evaluation,
    stop_evaluation,
)
from runs.evaluation.sets import find_set
from runs.models import Evaluation, EvaluationCase, EvaluationResult, EvaluationSet


class EvaluationSetSerializer(serializers.Serializer[EvaluationSet]):
    """Cases that versions of an agent are tried by."""

    id = serializers.UUIDField()
    agent = serializers.CharField(source="identity.slug")
    agent_id = serializers.UUIDField(source="identity_id")
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    gating = serializers.BooleanField(help_text="No version is published that has not passed it.")
    pass_rate = serializers.DecimalField(5, 4, help_text="Which share of its runs has to pass.")
    digest = serializers.CharField(help_text="Of its cases; another one makes earlier evaluations void.")


class EvaluationCaseSerializer(serializers.Serializer[EvaluationCase]):
    """One case, as it is written."""

    name = serializers.CharField()
    written = serializers.DictField(help_text="Its message, outcomes and checks.")
    source_run = serializers.UUIDField(
        source="source_run_id", allow_null=True, help_text="The run that it was made of."
    )


class WholeEvaluationSetSerializer(EvaluationSetSerializer):
    """A set with its cases."""

    cases = EvaluationCaseSerializer(many=True)


class EvaluationSerializer(serializers.Serializer[Evaluation]):
    """A version, tried by a set: what both were is named by their digests."""

    id = serializers.UUIDField()
    set = serializers.UUIDField(source="evaluation_set_id")
    agent = serializers.CharField(source="version.identity.slug")
    version = serializers.IntegerField(source="version.number")
    set_digest = serializers.CharField()
    version_digest = serializers.CharField()
    repeat = serializers.IntegerField()
    max_usd = serializers.DecimalField(12, 4)
    state = serializers.ChoiceField(Evaluation.State.choices)
    why_stopped = serializers.CharField(allow_blank=True)
    started_by = serializers.CharField(source="started_by.username")
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class EvaluationCheckSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """What was asked for, and what was found."""

    passed = serializers.BooleanField()
    said = serializers.CharField()


class EvaluationResultSerializer(serializers.Serializer[EvaluationResult]):
    """What came of one case, one time."""

    case = serializers.CharField()
    repetition = serializers.IntegerField()
    run = serializers.UUIDField(source="run_id", allow_null=True, help_text="Null while it has not begun.")
    passed = serializers.BooleanField(allow_null=True, help_text="Null while it has not been judged.")
    checks = EvaluationCheckSerializer(many=True, help_text="Empty where the words were erased.")
    why = serializers.CharField(allow_blank=True, help_text="What else than a check let it fail.")
    steps = serializers.IntegerField()
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    model_ms = serializers.IntegerField(help_text="How long its models took.")
    approvals = serializers.IntegerField(help_text="How often it would have asked a person.")
    denials = serializers.IntegerField()
    tool_errors = serializers.IntegerField()
    misses = serializers.IntegerField(help_text="Calls for which the case has no outcome.")


class WholeEvaluationSerializer(EvaluationSerializer):
    """An evaluation with what came of each case."""

    results = EvaluationResultSerializer(many=True)


class EvaluationFigureSerializer(serializers.Serializer[Beside]):
    """One figure of both, on average of a run, each case counting the same."""

    name = serializers.ChoiceField([(name, label) for name, (label, _) in FIGURES.items()])
    one = serializers.FloatField()
    other = serializers.FloatField()
    chance = serializers.FloatField(help_text="How likely such a difference is where there is none.")
    differs = serializers.BooleanField(help_text="By more than repetition alone explains.")
    words = serializers.CharField(source="said")


class ComparedCaseSerializer(serializers.Serializer[OfCase]):
    """One case in both; its figures are left out where one lacks it."""

    name = serializers.CharField()
    one = EvaluationResultSerializer(many=True)
    other = EvaluationResultSerializer(many=True)
    figures = EvaluationFigureSerializer(many=True)


class EvaluationComparisonSerializer(serializers.Serializer[Comparison]):
    """Two evaluations side by side."""

    one = EvaluationSerializer()
    other = EvaluationSerializer()
    is_alike = serializers.BooleanField(help_text="Both were tried by the same cases.")
    figures = EvaluationFigureSerializer(many=True, help_text="Over the cases that both have.")
    cases = ComparedCaseSerializer(many=True)


class EvaluationBody(BodySerializer):
    """Which version, how often, and for how much money at most."""

    version = NumberField(
        min_value=1, max_value=2**31 - 1, help_text="The version's number; it may be a draft."
    )
    max_usd = AmountField(12, 4, min_value=Decimal("0.0001"), help_text="What all runs together may cost.")
    repeat = NumberField(required=False, default=1, min_value=1, max_value=MOST_REPEATS)


class EvaluationsQuery(QuerySerializer):
    set = serializers.UUIDField(required=False, help_text="Only those by this set.")


class ComparisonQuery(QuerySerializer):
    other = serializers.UUIDField(
        required=False, help_text="What to put beside it; if absent, the one before it by the same set."
    )


class EvaluationSets(ListView):
    """The sets that the caller may see."""

    @extend_schema(
        operation_id="listEvaluationSets", tags=["evaluations"], responses=EvaluationSetSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List the sets of the agents of the caller's teams, newest first."""
        rows = EvaluationSet.objects.visible_to(caller(request)).select_related("identity")
        return self.answer_page(request, rows, partial(render_rows, EvaluationSetSerializer))


class EvaluationSetDetail(ApiView):
    """One set."""

    @extend_schema(
        operation_id="getEvaluationSet", tags=["evaluations"], responses=WholeEvaluationSetSerializer
    )
    def get(self, request: Request, set_id: UUID) -> Response:
        """Return a set with its cases."""
        row = find_set(caller(request), set_id)
        document = {**_of_set(row), "cases": render_rows(EvaluationCaseSerializer, list(row.cases.all()))}
        return Response(document)


class EvaluationStart(ApiView):
    """Trying a version by a set."""

    @extend_schema(
        operation_id="evaluateVersion",
        tags=["evaluations"],
        parameters=[IDEMPOTENCY_KEY],
        request=EvaluationBody,
        responses={201: EvaluationSerializer},
    )
    def post(self, request: Request, set_id: UUID) -> Response:
        """Have a version tried by every case of a set: the model is asked, and no tool is called.

        Who may start runs of the agent may. 404 `unknown_version`; 409 `agent_not_active`, `no_cases`; 422
        `budget_too_small`, `bad_repeat`, `planned_outside`.
        """
        actor, body = caller(request), read_body(EvaluationBody, request)
        row = find_set(actor, set_id)
        version = find_version(actor, row.identity_id, body["version"])
        trial = Trial(body["max_usd"], body["repeat"])

        def act() -> Answer:
            made = evaluate(actor=actor, evaluation_set=row, version=version, trial=trial)
            shown = render_row(EvaluationSerializer, find_evaluation(actor, made.pk))
            return Answer(201, shown, reverse("api:evaluation", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class Evaluations(ListView):
    """The evaluations that the caller may see."""

    query = EvaluationsQuery

    @extend_schema(
        operation_id="listEvaluations", tags=["evaluations"], responses=EvaluationSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List evaluations, newest first."""
        asked = read_query(self.query, request)
        rows = Evaluation.objects.visible_to(caller(request))
        if "set" in asked:
            rows = rows.filter(evaluation_set=asked["set"])
        related = rows.select_related("version__identity", "started_by")
        return self.answer_page(request, related, partial(render_rows, EvaluationSerializer))


class EvaluationDetail(ApiView):
    """One evaluation."""

    @extend_schema(operation_id="getEvaluation", tags=["evaluations"], responses=WholeEvaluationSerializer)
    def get(self, request: Request, evaluation_id: UUID) -> Response:
        """Return an evaluation with what came of each case so far."""
        row = find_evaluation(caller(request), evaluation_id)
        results = render_rows(EvaluationResultSerializer, list(row.results.all()))
        return Response({**render_row(EvaluationSerializer, row), "results": results})


class EvaluationComparison(ApiView):
    """Two evaluations."""

    query = ComparisonQuery

    @extend_schema(
        operation_id="compareEvaluations", tags=["evaluations"], responses=EvaluationComparisonSerializer
    )
    def get(self, request: Request, evaluation_id: UUID) -> Response:
        """Put two evaluations of one agent side by side: what passed, and what it took, per case and in sum.

        Of each difference it is said whether repetition alone could explain it. 404 `unknown_evaluation`; 422
        `another_agent`.
        """
        actor, asked = caller(request), read_query(self.query, request)
        one = find_evaluation(actor, evaluation_id)
        found = compare(one, find_evaluation(actor, asked.get("other") or find_before(one)))
        return Response(render_row(EvaluationComparisonSerializer, found))


class EvaluationStop(ApiView):
    """Stopping one."""

    @extend_schema(
        operation_id="stopEvaluation",
        tags=["evaluations"],
        parameters=[IDEMPOTENCY_KEY],
        request=EmptyBody,
        responses={200: EvaluationSerializer},
    )
    def post(self, request: Request, evaluation_id: UUID) -> Response:
        """Start no more of its cases; what has begun goes to its end. 409 `not_running`."""
        actor = caller(request)
        row = find_evaluation(actor, evaluation_id)
        read_body(EmptyBody, request)

        def act() -> Answer:
            stopped = stop_evaluation(actor=actor, evaluation=row)
            return Answer(200, render_row(EvaluationSerializer, find_evaluation(actor, stopped.pk)))

        return answer_once(request, Operation(request.path), act)


def _of_set(row: EvaluationSet) -> Fields:
    return render_row(EvaluationSetSerializer, row)
