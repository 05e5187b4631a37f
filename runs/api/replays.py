"""Replaying a run, and forking one: what its record says, and what would have become of it otherwise."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, TextField, WordField, read_body, render_row
from agentops.api.views import ApiView
from identities.api.authentication import caller
from identities.models import ApiKey
from runs.api.lookup import find_run, operation_on_run, show_run
from runs.api.serializers import RunSerializer
from runs.comparing import Comparison
from runs.forks.plans import Fork
from runs.forks.report import Report, read_report
from runs.forks.services import LONGEST_INSTRUCTIONS, fork_run
from runs.models import ToolCall
from runs.replays.report import OUTCOMES, WORDS
from runs.replays.services import replay_run
from tools.models import ToolGrant


class ReplayDifferenceSerializer(serializers.Serializer[Any]):  # Any: a Difference
    """One thing that is recorded otherwise than it would be today: codes and digests, no words of the run."""

    step = serializers.IntegerField()
    entry = serializers.IntegerField(help_text="The entry of the run's ledger stream.")
    what = serializers.ChoiceField(list(WORDS.items()))
    recorded = serializers.CharField()
    now = serializers.CharField()


class ReplaySerializer(serializers.Serializer[Any]):  # Any: a replay's Report
    """What a replay has found."""

    run = serializers.UUIDField()
    outcome = serializers.ChoiceField(list(OUTCOMES.items()))
    words = serializers.CharField(help_text="The outcome, for people.")
    engine = serializers.IntegerField(help_text="By which version of the engine's rules the run goes.")
    by_engine = serializers.IntegerField(help_text="Up to which version this installation knows them.")
    entries = serializers.IntegerField()
    commands = serializers.IntegerField(help_text="What drivers were told to do, and would be told again.")
    steps = serializers.IntegerField()
    prompts = serializers.IntegerField(help_text="Prompts that were made again and compared word by word.")
    uncompared = serializers.IntegerField(
        help_text="Prompts that were not: recorded before there were digests, or with values that a tool listed."
    )
    verdicts = serializers.IntegerField(help_text="Calls of which was said again what needs nobody's word.")
    answers = serializers.IntegerField(
        help_text="Answers of models and tools that were taken from the record."
    )
    differences = ReplayDifferenceSerializer(many=True)
    is_cut = serializers.BooleanField(help_text="There are more differences than are listed.")


class Replay(ApiView):
    """A run, decided again from its record."""

    @extend_schema(operation_id="replayRun", tags=["runs"], request=None, responses={200: ReplaySerializer})
    def post(self, request: Request, run_id: UUID) -> Response:
        """Decide again everything that was decided in a run, and list what would differ, the first first.

        No model, tool or person is asked, nothing is charged, and nothing is written. 409 `too_long`.
        """
        actor = caller(request)
        report = replay_run(actor=actor, run=find_run(actor, run_id))
        return Response(render_row(ReplaySerializer, report))


class ForkTermsBody(BodySerializer):
    """Terms that are tried out in place of those of a grant; nobody is granted anything."""

    decision = WordField(ToolGrant.Decision.choices)
    caps = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="As a grant has them, with ALLOW_WITH_CAPS."
    )
    over_caps = WordField(["DENY", "REQUIRE_APPROVAL"], required=False)


class ForkBody(BodySerializer):
    """From which step on, and what is to be otherwise; what is left out stays as it was."""

    step = serializers.IntegerField(
        min_value=1, help_text="The first step that the model is asked about anew."
    )
    instructions = TextField(required=False, max_length=LONGEST_INSTRUCTIONS)
    model = TextField(required=False, max_length=120, help_text="A model that is priced.")
    terms = serializers.DictField(child=ForkTermsBody(), required=False, help_text="By the name of a tool.")
    call_reads = serializers.BooleanField(
        default=False,
        help_text="Calls of tools that only read are made, where policy lets them and nobody is asked.",
    )


class ForkCallSerializer(serializers.Serializer[ToolCall]):
    """A call, what policy said of it, and what became of it."""

    step = serializers.IntegerField()
    call = serializers.IntegerField(source="number")
    tool = serializers.CharField(source="tool_name")
    decision = serializers.CharField(allow_blank=True)
    state = serializers.CharField()
    code = serializers.CharField(allow_blank=True, help_text="`not_made` where a fork made no call.")


class ForkPairSerializer(serializers.Serializer[Any]):  # Any: a Pair
    """Two calls that stand in each other's place, or one that has none in the other run."""

    recorded = ForkCallSerializer(source="one", allow_null=True)
    now = ForkCallSerializer(source="other", allow_null=True)
    alike = serializers.ChoiceField(
        ["same", "other_outcome", "other_arguments", "only_one"], source="likeness"
    )


class ForkFigureSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """What both have used."""

    name = serializers.CharField()
    recorded = serializers.FloatField()
    now = serializers.FloatField()


class ForkReportSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """A fork beside the run that it was forked from. What it recalls has cost it steps and nothing else."""

    of = serializers.UUIDField()
    step = serializers.IntegerField()
    changed = serializers.ListField(child=serializers.ChoiceField(["instructions", "model", "policy"]))
    model = serializers.CharField(allow_blank=True)
    terms = serializers.DictField()
    call_reads = serializers.BooleanField()
    parting = serializers.IntegerField(
        allow_null=True,
        help_text="At which pair, from 0, they first differ; null where their calls are the same.",
    )
    is_cut = serializers.BooleanField(help_text="They have more calls than are compared.")
    figures = ForkFigureSerializer(many=True)
    pairs = ForkPairSerializer(many=True)


class Forking(ApiView):
    """A run, gone through again from one of its steps on."""

    @extend_schema(operation_id="compareFork", tags=["runs"], responses=ForkReportSerializer)
    def get(self, request: Request, run_id: UUID) -> Response:
        """Show a fork beside the run that it was forked from. 404 `unknown_fork` for a run that is none."""
        report = read_report(find_run(caller(request), run_id))
        return Response(render_row(ForkReportSerializer, _describe(report)))

    @extend_schema(
        operation_id="forkRun",
        tags=["runs"],
        parameters=[IDEMPOTENCY_KEY],
        request=ForkBody,
        responses={201: RunSerializer},
    )
    def post(self, request: Request, run_id: UUID) -> Response:
        """Start a fork of a run that has ended: a run that recalls the steps before, and makes no calls.

        From the step on the model is asked, within a budget of its own. A call is answered as it was then, where it
        was made with the same arguments; otherwise it is not made, and says what policy would have. Only people may.
        409 `not_forkable`, `run_not_ended`, `erased`, `not_recorded`, `agent_not_active`.
        """
        actor, body = caller(request), read_body(ForkBody, request)
        run = find_run(actor, run_id)
        credential = request.auth if isinstance(request.auth, ApiKey) else None
        fork = Fork(
            run.pk, body["step"], body.get("instructions"), body.get("model", ""), body.get("terms", {}),
            body["call_reads"],
        )  # fmt: skip

        def act() -> Answer:
            made = fork_run(actor=actor, run=run, fork=fork, credential=credential)
            shown = show_run(made)
            return Answer(201, shown, shown["links"]["self"])

        return answer_once(request, operation_on_run(request.path), act)


def _describe(report: Report) -> dict[str, Any]:  # Any: JSON
    fork, compared = report.fork, report.comparison
    told = {"of": fork.run, "step": fork.step, "changed": fork.changed, "model": fork.model}
    return {
        **told,
        "terms": fork.terms,
        "call_reads": fork.call_reads,
        "parting": compared.parting,
        "is_cut": compared.is_cut,
        "figures": _figures(compared),
        "pairs": compared.pairs,
    }


def _figures(compared: Comparison) -> list[dict[str, Any]]:  # Any: JSON
    return [{"name": name, "recorded": then, "now": now} for name, then, now in compared.figures]
