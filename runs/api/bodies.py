"""What the API is sent about runs."""

from __future__ import annotations

from decimal import Decimal

from rest_framework import serializers

from agentops.api.serializers import (
    BodySerializer,
    FlagField,
    NumberField,
    QuerySerializer,
    TextField,
    WordField,
)
from runs.answering import CLOSINGS
from runs.api.words import PRIORITIES
from runs.models import RunMode, RunState


class PrincipalBody(BodySerializer):
    """The end user on whose behalf the run is to act."""

    issuer = TextField(min_length=1, max_length=200, help_text="Who knows the user: the shop's address.")
    subject = TextField(min_length=1, max_length=200, help_text="The user's id there.")


class CapBody(BodySerializer):
    """A ceiling on the number of calls, on their amount, or on both."""

    per = serializers.ChoiceField(["call", "run"])
    count = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    amount = TextField(required=False, min_length=1, max_length=40, help_text='A decimal, such as "50.00".')


class ToolLimitBody(BodySerializer):
    """What the run may do with one tool; without members, whatever its agent may."""

    decision = serializers.ChoiceField(
        ["ALLOW", "ALLOW_WITH_CAPS", "REQUIRE_APPROVAL", "DENY"],
        required=False,
        help_text="By default ALLOW, or ALLOW_WITH_CAPS where there are caps.",
    )
    caps = CapBody(many=True, required=False)
    over_caps = serializers.ChoiceField(["DENY", "REQUIRE_APPROVAL"], required=False)


class CeilingsBody(BodySerializer):
    """Limits of this run; each at most what its agent has."""

    steps = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    tokens = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    usd = serializers.DecimalField(12, 4, required=False, min_value=Decimal("0.0001"))
    seconds = NumberField(required=False, min_value=1, max_value=2**31 - 1)


class RunFormBody(BodySerializer):
    """By what the run is measured, what it has to keep to, and what it must not even propose."""

    criteria = serializers.ListField(child=TextField(max_length=1_000), required=False, default=list)
    constraints = serializers.ListField(child=TextField(max_length=1_000), required=False, default=list)
    forbidden = serializers.ListField(
        child=TextField(max_length=64),
        required=False,
        default=list,
        help_text="Names of tools, or effect classes (reversible, irreversible): policy denies them.",
    )
    budget = CeilingsBody(required=False)


class TaskField(TextField):
    """A type of task of the agent's version."""

    def __init__(self) -> None:
        help_text = (
            "One of the types of tasks that the agent's version declares; by its checks the run is judged."
        )
        super().__init__(required=False, default="", allow_blank=True, max_length=64, help_text=help_text)


class StartRunBody(BodySerializer):
    """A task for an agent.

    Applications say for whom they act: by `subject_token`, or by `principal` if they are trusted to name users. A
    person starts runs for themselves and leaves both out.
    """

    agent = TextField(min_length=1, max_length=50, help_text="The agent's slug.")
    message = TextField(min_length=1, help_text="The task, in the user's words.")
    principal = PrincipalBody(required=False)
    subject_token = TextField(
        required=False,
        min_length=1,
        max_length=16_384,
        help_text="A token of the user's, of an issuer that is configured for the application. It is verified, and"
        " not kept; a repeated request may bring another one of the same user.",
    )
    parent_run = serializers.UUIDField(
        required=False, help_text="The run on whose behalf this one acts: it never may more than that one."
    )
    priority = serializers.ChoiceField(
        PRIORITIES,
        required=False,
        help_text="Which runs begin first where people have more to review than they can; by default normal.",
    )
    mode = serializers.ChoiceField(
        RunMode.choices,
        required=False,
        help_text="propose: what has an effect is staged, and people review all of it as one change set.",
    )
    task = TaskField()
    form = RunFormBody(required=False)
    tool_limits = serializers.DictField(
        child=ToolLimitBody(),
        required=False,
        help_text="The only tools that the run may use, by name, each on terms that cut what its agent was granted.",
    )


class ControlBody(BodySerializer):
    reason = TextField(required=False, default="", allow_blank=True, max_length=500)


class MessageBody(BodySerializer):
    text = TextField(min_length=1)


class ClosingBody(BodySerializer):
    outcome = WordField(CLOSINGS, help_text="How the conversation ended.")
    text = TextField(min_length=1, help_text="The last word to the user; the run completes with it.")


class InputBody(BodySerializer):
    """The answer to the agent's question. Without `step` and `call` it answers the only open one."""

    text = TextField(min_length=1)
    step = NumberField(required=False, min_value=1, max_value=2**31 - 1)
    call = NumberField(required=False, min_value=1, max_value=2**15 - 1)


class OutcomeBody(BodySerializer):
    happened = FlagField(help_text="Whether the call took place in the world.")
    note = TextField(min_length=1, max_length=2_000, help_text="How you found out.")


class VetoBody(BodySerializer):
    reason = TextField(min_length=1, max_length=500, help_text="Why it must not happen; the agent reads it.")


class RunQuery(QuerySerializer):
    state = serializers.ChoiceField(RunState.choices, required=False)
    agent = serializers.SlugField(required=False, source="identity__slug", help_text="The agent's slug.")
    since = serializers.DateTimeField(
        required=False, source="created_at__gte", help_text="Started at this time or later."
    )
    held = serializers.BooleanField(
        required=False, help_text="True: only those with a call that is held before it goes out."
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
