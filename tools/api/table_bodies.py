"""What is said about decision tables."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, NumberField, QuerySerializer, TextField
from tools.services.tables import LONGEST_ACKNOWLEDGEMENT

SLUG = r"^[-a-zA-Z0-9_]+$"
SEEN = "The digest of the draft that you have before you; empty: whatever it is."


class TableQuery(QuerySerializer):
    slug = serializers.CharField(required=False, max_length=64)


class CreateTableBody(BodySerializer):
    """A new table."""

    team = TextField(min_length=1, max_length=64, help_text="The team's slug.")
    slug = serializers.RegexField(SLUG, min_length=1, max_length=64)
    name = TextField(min_length=1, max_length=120)


@extend_schema_field({"description": "The outputs by name, a list of them, or null."})
class AnyField(serializers.JSONField):
    """Any JSON value, null included; a nullable one would be declared with null twice."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:  # Any: an arbitrary JSON value
        return (True, None) if data is None else super().validate_empty_values(data)


class CaseBody(BodySerializer):
    """A test case; `expect` is null where nothing is to be decided."""

    name = TextField(min_length=1, max_length=120)
    inputs = serializers.DictField()
    expect = AnyField()


class DraftBody(BodySerializer):
    """What a version says. The definition has its cells as texts: see the documentation of decision tables."""

    definition = serializers.DictField()
    cases = CaseBody(many=True, required=False, default=list)
    effective_from = serializers.DateTimeField(required=False, allow_null=True, default=None)
    effective_until = serializers.DateTimeField(required=False, allow_null=True, default=None)
    seen = TextField(required=False, default="", allow_blank=True, max_length=64, help_text=SEEN)


class ImportBody(BodySerializer):
    """A DMN document."""

    document = TextField(min_length=1, max_length=1_000_000, help_text="XML, as a text.")
    decides = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=200,
        help_text="Which of its decisions counts.",
    )
    seen = TextField(required=False, default="", allow_blank=True, max_length=64, help_text=SEEN)


class PublishBody(BodySerializer):
    """Why it may decide although it has gaps or overlaps."""

    acknowledgement = TextField(
        required=False, default="", allow_blank=True, max_length=LONGEST_ACKNOWLEDGEMENT
    )


class RetireBody(BodySerializer):
    """Why it decides no longer."""

    reason = TextField(required=False, default="", allow_blank=True, max_length=1_000)


class DecideBody(BodySerializer):
    """What is to be decided about. Without a version the one counts that is in force."""

    inputs = serializers.DictField(help_text="By the names of the table's inputs.")
    version = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    at = serializers.DateTimeField(required=False, help_text="As of when a version is in force; now.")
