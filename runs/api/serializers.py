"""Runs, steps and events, as the API shows them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentops.api.serializers import Fields, QuerySerializer, render_row, render_rows
from agentops.ledger.store import StoredEntry
from runs.api.words import (
    CALL_STATES,
    DECISIONS,
    EVENT_KINDS,
    LIMITS_REACHED,
    PRIORITIES,
    STATUS_REASONS,
    STEP_STATES,
)
from runs.conversation import Said, read_conversation, whose_turn
from runs.family import UsedBelow
from runs.models import Fulfilment, Handover, Proof, Run, RunKind, RunMode, RunState, Step, ToolCall
from tools.models import Effect

Document = dict[str, Any]  # Any: a JSON document
ANYTHING = {"description": "Any JSON value; null when there was none or it was erased."}


class PrincipalSerializer(serializers.Serializer[Any]):  # Any: a Principal
    """The end user on whose behalf the run acts."""

    issuer = serializers.CharField()
    subject = serializers.CharField()


class RequiredActionSerializer(serializers.Serializer[Any]):  # Any: a plain document
    """What has to be done before the run goes on, by people or, of a child, by another agent.

    approval: decide it. input: answer the agent's question. handover: take over the conversation.
    outcome: find out whether a call took place. confirmation: have the end user confirm the call.
    extension: decide whether the run may go on beyond its limit. review: decide about the change set, whose id it is.
    run: nothing; the call waits for this child, which may wait for people itself.
    """

    type = serializers.ChoiceField(
        ["approval", "input", "handover", "outcome", "confirmation", "extension", "review", "run"]
    )
    step = serializers.IntegerField(allow_null=True, help_text="Null for an extension and a review.")
    call = serializers.IntegerField(allow_null=True, help_text="As above.")
    id = serializers.UUIDField(
        allow_null=True,
        help_text="Of the approval, the confirmation, the extension, the change set or the child; null for the others.",
    )
    expires_at = serializers.CharField(allow_null=True)


class LimitsSerializer(serializers.Serializer[Run]):
    steps = serializers.IntegerField(source="max_steps")
    tokens = serializers.IntegerField(source="max_tokens")
    usd = serializers.DecimalField(12, 4, source="max_usd")
    seconds = serializers.IntegerField(source="max_seconds")


class UsedSerializer(serializers.Serializer[Run]):
    steps = serializers.IntegerField()
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    seconds = serializers.SerializerMethodField(help_text="Working time; waiting for people does not count.")

    def get_seconds(self, run: Run) -> float:
        return run.worked_ms / 1000


class UsedBelowSerializer(serializers.Serializer[UsedBelow]):
    runs = serializers.IntegerField(help_text="How many they are.")
    steps = serializers.IntegerField()
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    seconds = serializers.SerializerMethodField(help_text="Working time of each, added up.")

    def get_seconds(self, used: UsedBelow) -> float:
        return used.worked_ms / 1000


class GivenBySerializer(serializers.Serializer[Run]):
    step = serializers.IntegerField(source="delegated_step")
    call = serializers.IntegerField(source="delegated_call")


class BudgetSerializer(serializers.Serializer[Run]):
    limits = LimitsSerializer(source="*")
    used = UsedSerializer(source="*")


class RunLinksSerializer(serializers.Serializer[Any]):  # Any: a plain document
    self = serializers.CharField()
    steps = serializers.CharField()
    events = serializers.CharField()
    trace = serializers.CharField()
    children = serializers.CharField()
    agent = serializers.CharField()


class RunSerializer(serializers.Serializer[Run]):
    """One task given to an agent."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(RunKind.choices)
    state = serializers.ChoiceField(RunState.choices)
    priority = serializers.ChoiceField(PRIORITIES, source="get_priority_display")
    status_reason = serializers.ChoiceField(
        STATUS_REASONS,
        allow_blank=True,
        help_text="Why it has ended, or why it waits to begin: review_capacity, people have more to decide than they"
        " can. Else empty, and when it is completed. Later versions may add reasons.",
    )
    status_detail = serializers.ChoiceField(
        LIMITS_REACHED,
        allow_blank=True,
        help_text="Which limit was reached, when the reason is budget_reached.",
    )
    agent = serializers.CharField(source="identity.slug")
    agent_version = serializers.IntegerField(source="agent_version.number")
    principal = PrincipalSerializer()
    proof = serializers.ChoiceField(
        Proof.choices, allow_blank=True, help_text="How it is known for whom the run acts."
    )
    parent_run = serializers.UUIDField(
        source="parent_id", allow_null=True, help_text="The run on whose behalf this one acts."
    )
    given_by = serializers.SerializerMethodField(
        help_text="The call of that run which gave this one its task; null where none did."
    )
    mode = serializers.ChoiceField(RunMode.choices)
    task = serializers.CharField(
        allow_blank=True, help_text="The type of task, of those that its version declares; empty: of none."
    )
    applies = serializers.UUIDField(
        source="applies_id",
        allow_null=True,
        help_text="The run that proposed what this one carries out; its change set has this run's id.",
    )
    undoes = serializers.UUIDField(
        source="undoes_id", allow_null=True, help_text="The run whose effects this one undoes."
    )
    fork_of = serializers.UUIDField(
        source="fork_of_id",
        allow_null=True,
        help_text="The run from one of whose steps on this one goes again.",
    )
    tool_limits = serializers.DictField(
        source="limits",
        allow_null=True,
        help_text="The only tools that it may use, by name; null: all of its agent's.",
    )
    required_actions = RequiredActionSerializer(many=True)
    budget = BudgetSerializer(source="*")
    tool_calls = serializers.IntegerField()
    trace_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField()
    links = serializers.SerializerMethodField()

    @extend_schema_field(GivenBySerializer(allow_null=True))
    def get_given_by(self, run: Run) -> Fields | None:
        return None if run.delegated_step is None else render_row(GivenBySerializer, run)

    @extend_schema_field(RunLinksSerializer)
    def get_links(self, run: Run) -> dict[str, str]:
        names = {"self": "run", "steps": "run-steps", "events": "run-events", "trace": "run-trace"}
        names["children"] = "run-children"
        links = {member: reverse(f"api:{name}", args=[run.pk]) for member, name in names.items()}
        return {**links, "agent": reverse("api:agent", args=[run.identity_id])}


class CheckedSerializer(serializers.Serializer[Any]):  # Any: JSON of a Fulfilment's row
    """One check of a type of task."""

    passed = serializers.BooleanField()
    said = serializers.CharField(help_text="What was asked for and what happened, without a word of the run.")


class FulfilmentSerializer(serializers.Serializer[Fulfilment]):
    """Whether a run did what was asked, by the checks of its type of task."""

    fulfilled = serializers.BooleanField(
        allow_null=True, help_text="Null until it is judged, and where nobody can tell any more."
    )
    why_unknown = serializers.CharField(allow_blank=True, help_text="Why nobody can tell.")
    checks = CheckedSerializer(many=True)
    judged_at = serializers.DateTimeField(
        allow_null=True, help_text="After the end of the run, once the outcome of each of its calls is known."
    )


class RunDetailSerializer(RunSerializer):
    """One task given to an agent, with what came of it.

    `answer` is the agent's answer once completed, `summary` what was done and what was not when it ended
    otherwise. Both are null before, and after they were erased.
    """

    answer = serializers.SerializerMethodField()
    summary = serializers.SerializerMethodField()
    undone_by = serializers.SerializerMethodField(
        help_text="The undos of this run that you may see, the first one first; at most 100."
    )
    fulfilment = serializers.SerializerMethodField(help_text="Null for a run of no task.")
    children_used = serializers.SerializerMethodField(
        help_text="What those have used by now to whom this run has given tasks, and those to whom they have. It is"
        " not in `budget.used`, and counts against `budget.limits`."
    )

    @extend_schema_field(FulfilmentSerializer(allow_null=True))
    def get_fulfilment(self, run: Run) -> Fields | None:
        found = self.context["fulfilment"]
        return None if found is None else render_row(FulfilmentSerializer, found)

    @extend_schema_field(UsedBelowSerializer)
    def get_children_used(self, run: Run) -> Fields:
        return render_row(UsedBelowSerializer, self.context["used_below"])

    def get_answer(self, run: Run) -> str | None:
        return self._said("answer", run.state == "completed")

    def get_summary(self, run: Run) -> str | None:
        return self._said("summary", run.state != "completed")

    def get_undone_by(self, run: Run) -> list[UUID]:
        return list(self.context["undos"])

    def _said(self, member: str, is_due: bool) -> str | None:
        ending = self.context["ending"]
        said: str | None = ending.get(member) or (ending.get("unreadable") if is_due else None)
        return said


class EditedSerializer(serializers.Serializer[Document]):
    """What a person made of a call before it was approved; `arguments` of the call are theirs."""

    by = serializers.CharField()
    before = serializers.JSONField(help_text="The arguments that they were shown.")
    reason = serializers.CharField(allow_blank=True)


class ToolCallSerializer(serializers.Serializer[ToolCall]):
    """What was executed of a step: one proposed call, its gate and its outcome."""

    call = serializers.IntegerField(source="number")
    tool = serializers.SerializerMethodField()
    effect = serializers.ChoiceField(Effect.choices, allow_blank=True)
    state = serializers.ChoiceField(CALL_STATES)
    decision = serializers.ChoiceField(
        DECISIONS, allow_blank=True, help_text="What the policy said; empty while nobody has asked it."
    )
    reasons = serializers.ListField(child=serializers.JSONField())
    approval = serializers.UUIDField(source="approval_id", allow_null=True)
    idempotency_key = serializers.CharField(source="key")
    attempts = serializers.IntegerField()
    code = serializers.CharField(allow_blank=True)
    arguments = serializers.SerializerMethodField(help_text="As they were proposed, or edited by a person.")
    edited = serializers.SerializerMethodField()
    outcome = serializers.SerializerMethodField()
    proposed_at = serializers.DateTimeField()
    held_until = serializers.DateTimeField(
        allow_null=True,
        help_text="While `held`: when it goes out unless somebody vetoes it. It stays as it was afterwards.",
    )
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    latency_ms = serializers.IntegerField(allow_null=True)

    def get_tool(self, call: ToolCall) -> str:
        name: str = self._proposed(call).get("tool") or call.tool_name
        return name

    @extend_schema_field(ANYTHING)
    def get_arguments(self, call: ToolCall) -> Any:  # Any: an arbitrary JSON value
        return self._proposed(call).get("arguments")

    @extend_schema_field(EditedSerializer(allow_null=True))
    def get_edited(self, call: ToolCall) -> Document | None:
        decided = self.context["contents"].get(call.decided_seq) or {}
        if "before" not in decided:
            return None
        return dict(EditedSerializer(decided).data)

    def _proposed(self, call: ToolCall) -> dict[str, Any]:  # Any: as above
        """Return the call as the model wrote it, or a person edited it, which is content: empty once it is erased."""
        decided = self.context["contents"].get(call.decided_seq) or {}
        if "unreadable" in decided:
            return {"arguments": decided}
        return next((each for each in decided.get("calls", ()) if each["call"] == call.number), {})

    @extend_schema_field(ANYTHING)
    def get_outcome(self, call: ToolCall) -> Any:  # Any: as above
        return self.context["contents"].get(call.outcome_seq)


class UsageSerializer(serializers.Serializer[Step]):
    input_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    estimated = serializers.BooleanField(help_text="The provider did not say; the reservation was charged.")
    price_version = serializers.CharField(allow_blank=True)


class StepSerializer(serializers.Serializer[Step]):
    """One turn of the model: what the AI decided, and the calls that came of it."""

    step = serializers.IntegerField(source="number")
    state = serializers.ChoiceField(STEP_STATES)
    model = serializers.CharField(allow_blank=True)
    attempts = serializers.IntegerField()
    code = serializers.CharField(allow_blank=True)
    thought = serializers.SerializerMethodField()
    text = serializers.SerializerMethodField()
    usage = UsageSerializer(source="*")
    calls = serializers.SerializerMethodField()
    asked_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)

    def get_thought(self, step: Step) -> str | None:
        return self._said(step, "thought")

    def get_text(self, step: Step) -> str | None:
        return self._said(step, "text")

    @extend_schema_field(ToolCallSerializer(many=True))
    def get_calls(self, step: Step) -> list[Document]:
        calls = self.context["calls"].get(step.number, [])
        return render_rows(ToolCallSerializer, calls, **self.context)

    def _said(self, step: Step, member: str) -> str | None:
        decided = self.context["contents"].get(step.decided_seq) or {}
        said: str | None = decided.get(member, decided.get("unreadable"))
        return said


class EventSerializer(serializers.Serializer[StoredEntry]):
    """One entry of the run's ledger stream."""

    seq = serializers.IntegerField()
    kind = serializers.ChoiceField(EVENT_KINDS, help_text="Later versions may add kinds.")
    at = serializers.DateTimeField()
    facts = serializers.DictField(help_text="What happened, without anything personal.")
    content = serializers.SerializerMethodField()

    @extend_schema_field(ANYTHING)
    def get_content(self, entry: StoredEntry) -> Any:  # Any: an arbitrary JSON value
        return entry.content


class TraceItemSerializer(EventSerializer):
    """One entry of the stream, told for people."""

    lane = serializers.ChoiceField(["decided", "executed", "broke"])
    title = serializers.CharField()
    code = serializers.CharField(allow_blank=True)
    step = serializers.IntegerField(allow_null=True)
    call = serializers.IntegerField(allow_null=True)
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    latency_ms = serializers.IntegerField(allow_null=True)


class TraceTotalsSerializer(serializers.Serializer[Any]):  # Any: TraceTotals
    steps = serializers.IntegerField()
    calls = serializers.IntegerField()
    attempts = serializers.IntegerField()
    broke = serializers.IntegerField()
    tokens = serializers.IntegerField()
    usd = serializers.DecimalField(16, 8)
    model_ms = serializers.IntegerField()
    tool_ms = serializers.IntegerField()


class TraceSerializer(serializers.Serializer[Any]):  # Any: a page with the run's totals
    """What the run decided, what it executed, where it broke, and what all of it cost."""

    data = TraceItemSerializer(many=True)  # type: ignore[assignment]  # named like every page's rows
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(
        allow_null=True, help_text="Pass as `cursor` for the next page; null on the last one."
    )
    totals = TraceTotalsSerializer()


class AnsweredHandoverSerializer(serializers.Serializer[Handover]):
    """A conversation that an agent passed to a person, without its words."""

    id = serializers.UUIDField()
    run = serializers.UUIDField(source="run_id")
    agent = serializers.CharField(source="run.identity.slug")
    step = serializers.IntegerField()
    call = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    claimed_by = serializers.CharField(
        source="claimed_by.username",
        allow_null=True,
        default=None,
        help_text="Who is answering it, if anybody.",
    )
    claimed_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(
        Handover.Outcome.choices, allow_blank=True, help_text="How it was answered; empty before."
    )


class HandoverSerializer(AnsweredHandoverSerializer):
    """A conversation that an agent passed to a person; `reason` is the agent's, null once erased."""

    reason = serializers.SerializerMethodField()

    def get_reason(self, handover: Handover) -> str | None:
        reason: str | None = self.context["reasons"].get((handover.run_id, handover.step, handover.call))
        return reason


class SaidSerializer(serializers.Serializer[Said]):
    """One turn of a conversation; `[erased]` stands for words that were erased."""

    by = serializers.ChoiceField([("user", "user"), ("agent", "agent"), ("person", "person")])
    name = serializers.CharField(allow_blank=True, help_text="Of the person on the staff.")
    text = serializers.CharField()
    at = serializers.DateTimeField()
    action = serializers.CharField(
        allow_blank=True, help_text="For which the agent said it: `input` or `handover`; empty: neither."
    )


class ConversationSerializer(AnsweredHandoverSerializer):
    """A conversation in full, the earliest turn first, and whose turn it is."""

    turn = serializers.SerializerMethodField()
    said = serializers.SerializerMethodField()

    @extend_schema_field(
        serializers.ChoiceField([(word, word) for word in ("person", "user", "agent", "nobody")])
    )
    def get_turn(self, handover: Handover) -> str:
        return whose_turn(handover.run)

    @extend_schema_field(SaidSerializer(many=True))
    def get_said(self, handover: Handover) -> list[Fields]:
        return render_rows(SaidSerializer, read_conversation(handover.run))


class FindingSerializer(serializers.Serializer[Any]):  # Any: a Finding of the preflight
    """A guardrail that is missing, and what to do about it."""

    code = serializers.CharField()
    subject = serializers.CharField()
    problem = serializers.CharField()
    remedy = serializers.CharField()


class InstallationPreflightSerializer(serializers.Serializer[Any]):  # Any: a plain document
    """Whether production may start, with the published versions of all agents."""

    ready = serializers.BooleanField()
    enforced = serializers.BooleanField(help_text="This is production: it does not start unless it is ready.")
    findings = FindingSerializer(many=True)
    advice = FindingSerializer(many=True, help_text="What keeps nothing from starting, and would be safer.")


class PreflightQuery(QuerySerializer):
    version = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version's number; the newest if absent.",
    )


class PreflightSerializer(serializers.Serializer[Any]):  # Any: a plain document
    """Whether a version of an agent may be published."""

    agent = serializers.CharField()
    version = serializers.IntegerField()
    ready = serializers.BooleanField()
    findings = FindingSerializer(many=True)
    advice = FindingSerializer(many=True, help_text="What it may do without, and is safer with.")
