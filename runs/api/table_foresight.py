"""What a version of a decision table would have changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.serializers import render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.querysets import is_known_person
from runs.table_foresight import TableForesight, foresee_table
from tools.api.tables import find_version


class TableMoveSerializer(serializers.Serializer[Any]):  # Any: a Move
    """How often one answer would have become another."""

    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)
    calls = serializers.IntegerField()


class ChangedDecisionSerializer(serializers.Serializer[Any]):  # Any: a ChangedDecision
    """A call about which the table would have said something else."""

    run_id = serializers.UUIDField()
    step = serializers.IntegerField()
    tool = serializers.CharField()
    at = serializers.DateTimeField()
    before = serializers.CharField(allow_blank=True)
    after = serializers.CharField(allow_blank=True)


class TableForesightSerializer(serializers.Serializer[TableForesight]):
    """The recorded calls of the last days, decided again; what a run would have done next nobody knows."""

    days = serializers.IntegerField()
    calls = serializers.IntegerField(help_text="How many decisions were looked at.")
    unknown = serializers.IntegerField(help_text="Of these, those whose words were erased.")
    changed = serializers.IntegerField()
    moves = TableMoveSerializer(many=True, help_text="The commonest changes.")
    listed = ChangedDecisionSerializer(many=True, help_text="The newest of them.")
    is_cut = serializers.BooleanField(help_text="Whether there were more calls than were looked at.")


class LastMonth(ApiView):
    """What would a version have changed last month?"""

    @extend_schema(operation_id="foreseeTable", tags=["tables"], responses=TableForesightSerializer)
    def get(self, request: Request, table_id: UUID, number: int) -> Response:
        """Decide the recorded calls of the last 30 days again by a version, a draft as a rule. For people only.

        422 for a draft that is no table yet.
        """
        user = caller(request)
        version = find_version(user, table_id, number)
        if not is_known_person(user):
            raise NotFound("unknown_version", "This table has no such version.")
        return Response(render_row(TableForesightSerializer, foresee_table(version)))
