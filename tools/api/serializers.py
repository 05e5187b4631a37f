"""Tools, as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, QuerySerializer, TextField, render_row
from tools.calls import AUDIENCE
from tools.lint import Finding
from tools.mirror import ShownBreaker, look_at_breaker, recall_breaker
from tools.models import Effect, Idempotency, LintOverride, Tool, ToolVersion
from tools.services.linting import examine_version

Document = dict[str, Any]  # Any: a JSON document


class LintFindingSerializer(serializers.Serializer[Finding]):
    """One thing that invites mistakes. An `error` keeps agents from being published with the version."""

    code = serializers.CharField()
    severity = serializers.ChoiceField(["error", "warning"])
    where = serializers.CharField(allow_blank=True)
    problem = serializers.CharField()
    remedy = serializers.CharField()


class LintOverrideSerializer(serializers.Serializer[LintOverride]):
    """Whose word lets the version be used in spite of errors; `findings` are code and place of each."""

    by = serializers.CharField(source="by.username")
    reason = serializers.CharField()
    findings = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(allow_blank=True))
    )
    created_at = serializers.DateTimeField()


class ToolVersionSerializer(serializers.Serializer[ToolVersion]):
    """The newest definition of a tool. Where it leads and with which credential is not shown."""

    number = serializers.IntegerField()
    description = serializers.CharField()
    statement = serializers.CharField()
    effect = serializers.ChoiceField(Effect.choices)
    idempotency = serializers.ChoiceField(Idempotency.choices)
    input_schema = serializers.DictField()
    output_schema = serializers.DictField(allow_null=True)
    timeout_s = serializers.FloatField()
    max_attempts = serializers.IntegerField()
    max_concurrency = serializers.IntegerField(allow_null=True)
    preview = serializers.DictField(
        allow_null=True,
        help_text="By which tool people are shown what a call changes, and as of which state.",
    )
    audience = serializers.SerializerMethodField()
    digest = serializers.CharField()
    lint = serializers.SerializerMethodField()

    lint_overrides = LintOverrideSerializer(many=True)

    @extend_schema_field(LintFindingSerializer(many=True))
    def get_lint(self, version: ToolVersion) -> list[Document]:
        return [render_row(LintFindingSerializer, finding) for finding in examine_version(version)]

    def get_audience(self, version: ToolVersion) -> str:
        """Whom the tokens of its calls are for; empty where they carry none."""
        return str(version.config.get(AUDIENCE, ""))


class BreakerSerializer(serializers.Serializer[ShownBreaker]):
    """Whether the tool is being called at present."""

    state = serializers.ChoiceField(["closed", "open", "half_open", "forced_open"])
    changed_at = serializers.DateTimeField(allow_null=True)
    retry_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class ToolSerializer(serializers.Serializer[Tool]):
    """One thing that agents may do; `version` is null until it is defined."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    team = serializers.CharField(source="team.slug")
    state = serializers.ChoiceField(Tool.State.choices)
    version = serializers.SerializerMethodField()
    breaker = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    @extend_schema_field(ToolVersionSerializer(allow_null=True))
    def get_version(self, tool: Tool) -> Document | None:
        newest = next(iter(tool.versions.all()), None)
        return None if newest is None else render_row(ToolVersionSerializer, newest)

    @extend_schema_field(BreakerSerializer)
    def get_breaker(self, tool: Tool) -> Document:
        shown = look_at_breaker(tool) if self.context.get("alone") else recall_breaker(tool)
        return render_row(BreakerSerializer, shown)


class AcceptToolBody(BodySerializer):
    """Why it may be called again; the record keeps it."""

    reason = TextField(max_length=500)


class ToolQuery(QuerySerializer):
    name = serializers.CharField(required=False, max_length=64)
    state = serializers.ChoiceField(Tool.State.choices, required=False)
