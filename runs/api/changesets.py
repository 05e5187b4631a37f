"""Change sets: what runs propose, and what people decide about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    Fields,
    NumberField,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from approvals.api.serializers import VERDICTS
from approvals.models import ApprovalDecision, ApprovalRequest
from identities.api.authentication import caller, signature_of
from identities.factors import has_fresh_factor
from identities.models import User
from runs.api.serializers import ANYTHING
from runs.changesets.depending import MOST
from runs.changesets.reviewing import about_items, apply_changes, decide_items, send_back
from runs.changesets.showing import ShownItem, read_form, show_items
from runs.models import ChangeSet
from runs.querysets import ChangeSetQuerySet
from tools.models import Effect

DIGEST = "That of the change set as you were shown it."


class ChangeItemSerializer(serializers.Serializer[ShownItem]):
    """One thing that the run wants to change."""

    item = serializers.IntegerField(source="number")
    tool = serializers.CharField(source="row.tool.name")
    effect = serializers.ChoiceField(Effect.choices, source="row.effect")
    statement = serializers.SerializerMethodField(help_text="In plain words; null once erased.")
    arguments = serializers.SerializerMethodField()
    changes = serializers.SerializerMethodField(
        help_text="What its tool says it would change, if it says so."
    )
    why = serializers.SerializerMethodField(help_text="The model's words for it; null once erased.")
    depends_on = serializers.ListField(
        source="row.depends_on",
        child=serializers.IntegerField(),
        help_text="Items without which it is not carried out: the planner named them, or they are about the same.",
    )
    falls_with = serializers.IntegerField(
        help_text="The item that it depends on and that nobody can accept any more; 0 for none."
    )
    approval = serializers.UUIDField(source="row.request_id")
    state = serializers.ChoiceField(
        ApprovalRequest.State.choices, source="row.request.state", help_text="That of its approval."
    )
    outcome = serializers.CharField(
        allow_blank=True,
        help_text="The state of the call that carries it out, or not_carried_out; empty before.",
    )
    code = serializers.CharField(source="why", allow_blank=True, help_text="Why it was not done.")

    def get_statement(self, item: ShownItem) -> str | None:
        return item.evidence.get("statement")

    @extend_schema_field(ANYTHING)
    def get_arguments(self, item: ShownItem) -> Any:  # Any: JSON
        return item.evidence.get("arguments")

    @extend_schema_field(ANYTHING)
    def get_changes(self, item: ShownItem) -> Any:  # Any: as above
        return (item.evidence.get("preview") or {}).get("changes")

    def get_why(self, item: ShownItem) -> str | None:
        return item.evidence.get("why")


class ChangeSetSerializer(serializers.Serializer[ChangeSet]):
    """What a run proposes, as a whole. Once applied, a run of the same id carries it out."""

    id = serializers.UUIDField()
    run = serializers.UUIDField(source="run_id", help_text="The run that proposes it.")
    agent = serializers.CharField(source="identity.slug")
    version = serializers.IntegerField(help_text="Each that is sent back has a next.")
    state = serializers.ChoiceField(ChangeSet.State.choices)
    size = serializers.IntegerField(help_text="How many items it has.")
    worst_effect = serializers.ChoiceField(Effect.choices, allow_blank=True)
    digest = serializers.CharField(allow_blank=True, help_text="Decide with it; empty while it is a draft.")
    created_at = serializers.DateTimeField()
    offered_at = serializers.DateTimeField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)


class ChangeSetDetailSerializer(ChangeSetSerializer):
    """What a run proposes, item by item, and what it was asked for."""

    form = serializers.SerializerMethodField(help_text="Goal, criteria, constraints and what is forbidden.")
    items = serializers.SerializerMethodField()

    @extend_schema_field(ANYTHING)
    def get_form(self, change_set: ChangeSet) -> Any:  # Any: JSON
        return read_form(change_set.run)

    @extend_schema_field(ChangeItemSerializer(many=True))
    def get_items(self, change_set: ChangeSet) -> list[Fields]:
        return render_rows(ChangeItemSerializer, show_items(change_set))


class VerdictSerializer(serializers.Serializer[Any]):  # Any: a Verdict
    """What became of your word about one item."""

    item = serializers.IntegerField()
    verdict = serializers.ChoiceField(VERDICTS)
    is_taken = serializers.BooleanField()
    code = serializers.CharField(allow_blank=True)
    detail = serializers.CharField(allow_blank=True)


class VerdictsSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """Each item that you have decided about; those not taken say why."""

    verdicts = VerdictSerializer(many=True)


class ItemVerdictBody(BodySerializer):
    item = NumberField(min_value=1, max_value=MOST)
    verdict = serializers.ChoiceField(VERDICTS)


class ItemsDecisionBody(BodySerializer):
    """A word about some or all items; each is decided by the rules of its own approval."""

    digest = TextField(min_length=1, max_length=64, help_text=DIGEST)
    items = ItemVerdictBody(many=True)
    reason = TextField(required=False, default="", allow_blank=True, max_length=2_000)


class ItemCommentBody(BodySerializer):
    item = NumberField(required=False, min_value=1, max_value=MOST, help_text="Left out: all of it.")
    comment = TextField(min_length=1, max_length=2_000)


class SendBackBody(BodySerializer):
    """What the agent is to do otherwise; it proposes anew, and this version is superseded."""

    digest = TextField(min_length=1, max_length=64, help_text=DIGEST)
    comments = ItemCommentBody(many=True)


class ApplyBody(BodySerializer):
    digest = TextField(min_length=1, max_length=64, help_text=DIGEST)


class ChangeSetQuery(QuerySerializer):
    state = serializers.ChoiceField(ChangeSet.State.choices, required=False)
    agent = serializers.SlugField(required=False, source="identity__slug", help_text="The agent's slug.")


class ChangeSets(ListView):
    """The change sets of the runs that the caller may see."""

    query = ChangeSetQuery

    @extend_schema(
        operation_id="listChangeSets", tags=["change sets"], responses=ChangeSetSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """List change sets, newest first; `state=offered` are those that wait for review."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request)).order_by("-id")
        return self.answer_page(request, rows, lambda page: render_rows(ChangeSetSerializer, page))


class ChangeSetDetail(ApiView):
    """One change set."""

    @extend_schema(operation_id="getChangeSet", tags=["change sets"], responses=ChangeSetDetailSerializer)
    def get(self, request: Request, change_set_id: UUID) -> Response:
        """Return what is proposed, item by item, what was decided about it, and what became of it."""
        return Response(render_row(ChangeSetDetailSerializer, _find(caller(request), change_set_id)))


class ChangeSetDecision(ApiView):
    """A person's word about items."""

    @extend_schema(
        operation_id="decideChangeSet",
        tags=["change sets"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=ItemsDecisionBody,
        responses=VerdictsSerializer,
    )
    def post(self, request: Request, change_set_id: UUID) -> Response:
        """Approve or deny items, as a person with a fresh second factor.

        Answers 409 when the set is not under review any more, or is not the one that the digest names. An item that
        could not be decided says why; the others are. A security key signs the items where `beginKeyProof` was told
        `changes:`, the digest, and the items in order: `:approve=1,3;deny=2`.
        """
        read_key(request, required=True)
        actor, found, body = _read(request, change_set_id, ItemsDecisionBody)
        verdicts = {each["item"]: each["verdict"] for each in body["items"]}

        def act() -> Answer:
            told = decide_items(
                actor=actor,
                change_set=found,
                digest=body["digest"],
                verdicts=verdicts,
                reason=body["reason"],
                channel=ApprovalDecision.Channel.API,
                second_factor=has_fresh_factor(actor),
                signature=signature_of(request, about_items(body["digest"], verdicts)),
            )
            return Answer(200, render_row(VerdictsSerializer, {"verdicts": told}))

        return answer_once(request, Operation(f"change-sets/{change_set_id}/decision"), act, required=True)


class ChangeSetReturn(ApiView):
    """Another round."""

    @extend_schema(
        operation_id="sendBackChangeSet",
        tags=["change sets"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=SendBackBody,
        responses=ChangeSetSerializer,
    )
    def post(self, request: Request, change_set_id: UUID) -> Response:
        """Send it back with comments: the run goes on and proposes a next version; nothing of this one is done."""
        read_key(request, required=True)
        actor, found, body = _read(request, change_set_id, SendBackBody)

        def act() -> Answer:
            comments: dict[int, str] = {}
            for each in body["comments"]:
                about = each.get("item", 0)
                comments[about] = "\n".join(filter(None, (comments.get(about), each["comment"])))
            made = send_back(actor=actor, change_set=found, digest=body["digest"], comments=comments)
            return Answer(200, render_row(ChangeSetSerializer, made))

        return answer_once(request, Operation(f"change-sets/{change_set_id}/return"), act, required=True)


class ChangeSetApplication(ApiView):
    """Carrying out."""

    @extend_schema(
        operation_id="applyChangeSet",
        tags=["change sets"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=ApplyBody,
        responses={202: ChangeSetSerializer},
    )
    def post(self, request: Request, change_set_id: UUID) -> Response:
        """Have what was approved carried out by the run that then has the set's id; follow it like any other.

        409 `items_undecided` while an item waits. With nothing approved the set is declined.
        """
        read_key(request, required=True)
        actor, found, body = _read(request, change_set_id, ApplyBody)

        def act() -> Answer:
            made = apply_changes(actor=actor, change_set=found, digest=body["digest"])
            return Answer(202, render_row(ChangeSetSerializer, made))

        return answer_once(request, Operation(f"change-sets/{change_set_id}/apply"), act, required=True)


def _read(request: Request, change_set_id: UUID, body: type[BodySerializer]) -> tuple[User, ChangeSet, Any]:
    """Return who calls, the change set, and what they send; Any: checked JSON."""
    actor = caller(request)
    return actor, _find(actor, change_set_id), read_body(body, request)


def _visible(user: User) -> ChangeSetQuerySet:
    return ChangeSet.objects.visible_to(user).select_related("identity", "run")


def _find(user: User, change_set_id: UUID) -> ChangeSet:
    found = _visible(user).filter(pk=change_set_id).first()
    if found is None:
        raise NotFound("unknown_change_set", "There is no such change set, or it is not for you to see.")
    return found
