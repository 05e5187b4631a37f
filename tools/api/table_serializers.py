"""Decision tables, as the API shows them."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from tools.decisions.cases import CaseResult
from tools.models import DecisionTable, DecisionTableVersion
from tools.tables.looking_over import look_over
from tools.tables.what_if import find_in_force

Document = dict[str, Any]  # Any: a JSON document


class TableSerializer(serializers.Serializer[DecisionTable]):
    """A decision that a team makes by rules."""

    id = serializers.UUIDField()
    team = serializers.CharField(source="team.slug")
    slug = serializers.CharField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class TableDetailSerializer(TableSerializer):
    """A table, with the version that decides now."""

    in_force = serializers.SerializerMethodField()

    def get_in_force(self, table: DecisionTable) -> int | None:
        """The number of the version that decides now; null where none does."""
        found = find_in_force(table, timezone.now())
        return found.number if found else None


class TableVersionSerializer(serializers.Serializer[DecisionTableVersion]):
    """What a table says from a day on."""

    number = serializers.IntegerField()
    state = serializers.ChoiceField(DecisionTableVersion.State.choices)
    digest = serializers.CharField()
    effective_from = serializers.DateTimeField(allow_null=True)
    effective_until = serializers.DateTimeField(allow_null=True)
    acknowledgement = serializers.CharField(allow_blank=True)
    created_by = serializers.CharField(source="created_by.username")
    published_by = serializers.CharField(source="published_by.username", allow_null=True, default=None)
    created_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)
    retired_at = serializers.DateTimeField(allow_null=True)


class CaseSerializer(serializers.Serializer[CaseResult]):
    """A test case and how it comes out: a problem, or none."""

    name = serializers.CharField()
    problem = serializers.CharField(allow_blank=True)


class LookedOverSerializer(serializers.Serializer[Any]):  # Any: LookedOver
    """What is to be said of a version: of wrong cells nothing else is known."""

    problems = serializers.DictField(child=serializers.CharField(), help_text="Words by place.")
    doubts = serializers.ListField(child=serializers.CharField(), help_text="Gaps and overlaps.")
    cases = CaseSerializer(many=True)
    is_ready = serializers.BooleanField(help_text="Whether at most doubts stand against publishing it.")


class TableVersionDetailSerializer(TableVersionSerializer):
    """A version with its rules."""

    definition = serializers.DictField()
    cases = serializers.ListField(child=serializers.DictField())
    looked_over = serializers.SerializerMethodField()

    @extend_schema_field(LookedOverSerializer)
    def get_looked_over(self, version: DecisionTableVersion) -> Document:
        return dict(LookedOverSerializer(look_over(version.definition, version.cases)).data)


class DocumentSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """A DMN document."""

    document = serializers.CharField(help_text="XML, as a text.")


class MadeDecisionSerializer(serializers.Serializer[Any]):  # Any: WhatIf
    """What was decided, by which version, and how it came about."""

    version = serializers.IntegerField()
    digest = serializers.CharField()
    outputs = serializers.JSONField(
        allow_null=True, help_text="By name, or a list of them where the hit policy makes lists."
    )
    trace = serializers.ListField(
        child=serializers.DictField(), help_text="Of each decision: its inputs, the rules hit, the outcome."
    )
