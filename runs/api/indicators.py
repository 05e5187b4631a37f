"""What the runs of a version took, and what of it is more than of the version before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import Fields, QuerySerializer, read_query, render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from runs.api.lookup import find_version
from runs.indicators.reading import Row, read_indicators
from runs.indicators.rule import FALSE_ALARMS
from runs.indicators.units import ALL_UNITS
from runs.indicators.watching import list_tasks
from runs.models import AgentVersion, Regression

UNIT_NAMES = [(unit.name, unit.label) for unit in ALL_UNITS]


class IndicatorsQuery(QuerySerializer):
    version = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version's number; the newest if absent.",
    )
    task = serializers.CharField(
        required=False,
        default="",
        max_length=64,
        help_text="One of the types of tasks that it declares; if absent, its runs of none.",
    )


class RegressionSerializer(serializers.Serializer[Regression]):
    """What a version takes more of than the version before it: found once, and it stays."""

    task = serializers.CharField(
        allow_blank=True, help_text="Of which type of task its runs are; empty: of none."
    )
    unit = serializers.ChoiceField(UNIT_NAMES)
    words = serializers.CharField(source="worse")
    than = serializers.IntegerField(source="than.number", help_text="The number of the version before.")
    before = serializers.FloatField(help_text="On average of a completed run.")
    now = serializers.FloatField(help_text="As above.")
    runs = serializers.IntegerField(help_text="After so many completed runs it was found.")
    at = serializers.DateTimeField()


class IndicatorDaySerializer(serializers.Serializer[Any]):  # Any: a plain document
    """The average of the completed runs that began on one day (UTC)."""

    day = serializers.DateField()
    mean = serializers.FloatField()


class IndicatorSerializer(serializers.Serializer[Row]):
    """One unit, on average of a completed run."""

    unit = serializers.ChoiceField(UNIT_NAMES, source="unit.name")
    words = serializers.CharField(source="unit.label")
    runs = serializers.IntegerField(help_text="Of so many runs it is known.")
    now = serializers.FloatField()
    before = serializers.FloatField(
        allow_null=True, help_text="Of the version before; null where it has no such runs, or other checks."
    )
    by_day = serializers.SerializerMethodField(help_text="The oldest first.")

    @extend_schema_field(IndicatorDaySerializer(many=True))
    def get_by_day(self, row: Row) -> list[Fields]:
        return [{"day": day.isoformat(), "mean": mean} for day, mean in row.by_day]


class IndicatorsSerializer(serializers.Serializer[Any]):  # Any: a plain document
    """What the newest completed runs of one type of task took, beside those of the version before."""

    agent = serializers.CharField()
    version = serializers.IntegerField()
    than = serializers.IntegerField(
        allow_null=True, help_text="The version before; null where there is none."
    )
    tasks = serializers.ListField(
        child=serializers.CharField(allow_blank=True),
        help_text="By which its runs are told apart; empty: of none.",
    )
    task = serializers.CharField(allow_blank=True)
    runs = serializers.IntegerField()
    runs_before = serializers.IntegerField()
    indicators = IndicatorSerializer(many=True, help_text="Empty while no run is completed.")
    regressions = RegressionSerializer(many=True, help_text="Of all its tasks, the newest first.")
    looks = serializers.ListField(
        child=serializers.IntegerField(), help_text="After so many completed runs of a task it is looked at."
    )
    false_alarms = serializers.FloatField(
        help_text="How often one unit of one task is found at most, all looks together, that is as it was before."
    )


class Indicators(ApiView):
    """What does a task take of this version?"""

    query = IndicatorsQuery

    @extend_schema(operation_id="getIndicators", tags=["agents"], responses=IndicatorsSerializer)
    def get(self, request: Request, agent_id: UUID) -> Response:
        """Return the indicators of a version's runs, by type of task, and its regressions. For people only.

        404 `unknown_version`; `unknown_task`: the version does not declare it.
        """
        user, asked = caller(request), read_query(self.query, request)
        version = find_version(user, agent_id, asked.get("version"))
        told = read_indicators(version, _check_task(version, asked["task"]))
        regressions = version.regressions.select_related("than").order_by("-at", "-pk")
        than = told.than.number if told.than else None
        document = {
            "agent": version.identity.slug, "version": version.number, "than": than, "tasks": told.tasks,
            "task": told.task, "runs": told.runs, "runs_before": told.runs_before, "indicators": told.rows,
            "regressions": regressions, "looks": told.looks, "false_alarms": FALSE_ALARMS,
        }  # fmt: skip
        return Response(render_row(IndicatorsSerializer, document))


def _check_task(version: AgentVersion, asked: str) -> str:
    tasks = list_tasks(version)
    if asked not in tasks:
        known = ", ".join(filter(None, tasks)) or "none"
        raise NotFound("unknown_task", f"version {version.number} does not declare it; it declares: {known}")
    return asked
