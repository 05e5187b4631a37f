"""What the API is sent about runs."""

from __future__ import annotations

from rest_framework import serializers

from agentops.api.serializers import BodySerializer, FlagField, NumberField, QuerySerializer, TextField
from runs.models import RunState


class PrincipalBody(BodySerializer):
    """The end user on whose behalf the run is to act."""

    issuer = TextField(min_length=1, max_length=200, help_text="Who knows the user: the shop's address.")
    subject = TextField(min_length=1, max_length=200, help_text="The user's id there.")


class StartRunBody(BodySerializer):
    """A task for an agent.

    Applications say for whom they act; a person starts runs for themselves and leaves `principal` out.
    """

    agent = TextField(min_length=1, max_length=50, help_text="The agent's slug.")
    message = TextField(min_length=1, help_text="The task, in the user's words.")
    principal = PrincipalBody(required=False)


class ControlBody(BodySerializer):
    reason = TextField(required=False, default="", allow_blank=True, max_length=500)


class MessageBody(BodySerializer):
    text = TextField(min_length=1)


class InputBody(BodySerializer):
    """The answer to the agent's question. Without `step` and `call` it answers the only open one."""

    text = TextField(min_length=1)
    step = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    call = NumberField(required=False, min_value=1, max_value=2**15 - 1)


class OutcomeBody(BodySerializer):
    happened = FlagField(help_text="Whether the call took place in the world.")
    note = TextField(min_length=1, max_length=2_000, help_text="How you found out.")


class RunQuery(QuerySerializer):
    state = serializers.ChoiceField(RunState.choices, required=False)
    agent = serializers.SlugField(required=False, source="identity__slug", help_text="The agent's slug.")
    since = serializers.DateTimeField(
        required=False, source="created_at__gte", help_text="Started at this time or later."
    )


class EventQuery(QuerySerializer):
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=2**31 - 1, help_text="Only events with a greater seq."
    )


class TraceQuery(QuerySerializer):
    contents = serializers.BooleanField(
        required=False, default=True, help_text="False leaves out everything personal."
    )


class HandoverQuery(QuerySerializer):
    open = serializers.BooleanField(
        required=False, help_text="True: those that a run still waits for; false: the others."
    )
