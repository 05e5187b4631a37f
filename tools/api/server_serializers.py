"""Servers of tools, as the API shows them, and what it takes about them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, FlagField, QuerySerializer, TextField, WordField
from tools.api.table_bodies import SLUG
from tools.models import Effect, Idempotency, ServerTool, ToolServer
from tools.openapi.document import SIZE_LIMIT_BYTES

Document = dict[str, Any]  # Any: a JSON document


class ToolServerSerializer(serializers.Serializer[ToolServer]):
    """What tools are taken over from. Where it is never changes."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    team = serializers.CharField(source="team.slug")
    transport = serializers.ChoiceField(ToolServer.Transport.choices)
    url = serializers.CharField(allow_blank=True)
    document_url = serializers.CharField(allow_blank=True)
    command = serializers.CharField(allow_blank=True)
    module = serializers.CharField(allow_blank=True)
    audience = serializers.CharField(allow_blank=True)
    credential = serializers.CharField(allow_blank=True, help_text="The slug of a secret of the team.")
    allow_private = serializers.BooleanField()
    state = serializers.ChoiceField(ToolServer.State.choices)
    checked_at = serializers.DateTimeField(allow_null=True, help_text="When it was last asked what it has.")
    trouble = serializers.CharField(allow_blank=True, help_text="Why it said nothing then.")
    latency_ms = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()


class ToolServerQuery(QuerySerializer):
    transport = serializers.ChoiceField(ToolServer.Transport.choices, required=False)
    state = serializers.ChoiceField(ToolServer.State.choices, required=False)


class CreateToolServerBody(BodySerializer):
    """Where it is, by its transport: `url` (and `audience`) of a server that speaks MCP, `document_url` of an
    interface (empty: its document is brought), the `command` that the operator lists, or the `module` they allow."""

    team = TextField(max_length=64, help_text="The slug of a team of yours.")
    slug = serializers.RegexField(SLUG, min_length=1, max_length=64, help_text="What it is called here.")
    transport = WordField(ToolServer.Transport.choices)
    url = TextField(required=False, default="", allow_blank=True, max_length=500)
    document_url = TextField(required=False, default="", allow_blank=True, max_length=500)
    command = TextField(required=False, default="", allow_blank=True, max_length=64)
    module = TextField(required=False, default="", allow_blank=True, max_length=200)
    audience = TextField(required=False, default="", allow_blank=True, max_length=500)
    credential = TextField(required=False, default="", allow_blank=True, max_length=64)
    allow_private = FlagField(required=False, default=False)


class RefreshBody(BodySerializer):
    """What it is asked by: nothing, or the document of an interface, in words."""

    document = TextField(
        required=False, default="", allow_blank=True, max_length=SIZE_LIMIT_BYTES,
        help_text="An OpenAPI document, JSON or YAML, instead of the one at the server's address for it.",
    )  # fmt: skip


class ServerToolSerializer(serializers.Serializer[ServerTool]):
    """One tool of a server, as it was described last; `tool` is what was made of it, null for none."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    described = serializers.DictField(child=serializers.JSONField(), help_text="The server's own words.")
    digest = serializers.CharField(allow_blank=True, help_text="Of the description; send it back to import.")
    faults = serializers.ListField(child=serializers.CharField(), help_text="Why it cannot be taken over.")
    is_listed = serializers.BooleanField(help_text="False: the server has it no more.")
    is_changed = serializers.BooleanField(help_text="It was accepted, and is described differently now.")
    tool = serializers.UUIDField(source="tool_id", allow_null=True)
    accepted = serializers.SerializerMethodField()
    seen_at = serializers.DateTimeField()

    @extend_schema_field({"type": ["object", "null"], "additionalProperties": True})
    def get_accepted(self, row: ServerTool) -> Document | None:
        """What was accepted of it."""
        accepted: Document | None = row.accepted
        return accepted


class ImportToolBody(BodySerializer):
    """What a person decides about a tool that is taken over; the rest is the server's own description.

    The effect is the person's, or a stricter one that the server admits. `description` and `credential` are for
    operations of an interface and for functions, `read_back` for functions, `asks` for servers that speak MCP.
    """

    digest = TextField(min_length=64, max_length=64, help_text="The digest of what you looked at.")
    name = serializers.RegexField(SLUG, min_length=1, max_length=64, help_text="What models call it here.")
    effect = WordField(Effect.choices)
    statement = TextField(
        required=False, default="", allow_blank=True, max_length=300,
        help_text="Plain words for people, such as: refund {amount} USD for order {order_id}.",
    )  # fmt: skip
    idempotency = WordField(Idempotency.choices, required=False, default=Idempotency.NONE)
    error_is_refusal = FlagField(
        required=False, default=False,
        help_text="An error that it reports surely means that nothing was done.",
    )  # fmt: skip
    asks = serializers.DictField(
        child=serializers.DictField(child=serializers.JSONField()), required=False, default=dict,
        help_text="Forms that it may ask to be filled in, JSON Schemas by name.",
    )  # fmt: skip
    description = TextField(required=False, default="", allow_blank=True, max_length=4_000)
    credential = TextField(required=False, default="", allow_blank=True, max_length=64)
    read_back = TextField(required=False, default="", allow_blank=True, max_length=64)
