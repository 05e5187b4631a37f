"""Being away, and who stands in meanwhile."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import Group
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    Fields,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import ValidationFailed
from approvals.absences import (
    DECLARE,
    NAMED,
    REASON_LIMIT,
    Leave,
    declare_absence,
    end_absence,
    find_absence,
    state_of,
)
from approvals.models import Absence
from identities.api.authentication import caller
from identities.api.proposals.bodies import ProposalBody, let_propose
from identities.changes import as_json
from identities.models import Team, User
from tools.models import Tool


class AbsenceSerializer(serializers.Serializer[Absence]):
    """Somebody is away, and a deputy decides what they could decide."""

    id = serializers.UUIDField()
    absent = serializers.CharField(source="absent.username")
    deputy = serializers.CharField(source="deputy.username")
    team = serializers.CharField(
        source="team.slug", allow_null=True, default=None, help_text="Null: every team."
    )
    tool = serializers.CharField(
        source="tool.name", allow_null=True, default=None, help_text="Null: every tool."
    )
    group = serializers.CharField(
        source="group.name",
        allow_null=True,
        default=None,
        help_text="Only what the absent decides as one of it.",
    )
    begins_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    reason = serializers.CharField()
    state = serializers.SerializerMethodField()
    declared_by = serializers.CharField(source="declared_by.username")
    declared_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_state(self, absence: Absence) -> str:
        return state_of(absence, timezone.now())


class LeaveFields(BodySerializer):
    """From when until when, and what for. Without team, tool and group: for all that the absent may decide."""

    begins_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="At most 30 days later.")
    reason = TextField(max_length=REASON_LIMIT, help_text="Why somebody stands in.")
    team = TextField(
        required=False, allow_null=True, min_length=1, max_length=50, help_text="The team's slug."
    )
    tool = serializers.UUIDField(required=False, allow_null=True)
    group = TextField(required=False, allow_null=True, min_length=1, max_length=150)


class DeclareAbsenceBody(LeaveFields):
    """One's own absence; somebody else's is proposed (`absence.declare`)."""

    deputy = TextField(min_length=1, max_length=150, help_text="The deputy's username.")


class AbsenceQuery(QuerySerializer):
    standing = serializers.BooleanField(
        required=False, help_text="True: those that count now; false: the others."
    )


class Absences(ListView):
    """Who is away, of the caller and the caller's teams."""

    query = AbsenceQuery

    @extend_schema(operation_id="listAbsences", tags=["approvals"], responses=AbsenceSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List absences, newest first."""
        filters = read_query(self.query, request)
        rows = Absence.objects.visible_to(caller(request)).select_related(*NAMED)
        if "standing" in filters:
            counts = Q(pk__in=Absence.objects.standing(timezone.now()).values("pk"))
            rows = rows.filter(counts if filters["standing"] else ~counts)
        return self.answer_page(request, rows, partial(render_rows, AbsenceSerializer))

    @extend_schema(
        operation_id="declareAbsence",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=DeclareAbsenceBody,
        responses={201: AbsenceSerializer},
    )
    def post(self, request: Request) -> Response:
        """Say that you are away and who decides meanwhile, as a person with a fresh second factor."""
        actor, body = caller(request), read_body(DeclareAbsenceBody, request)
        leave = _read_leave(actor, actor, body["deputy"], body)

        def act() -> Answer:
            made = declare_absence(actor=actor, leave=leave)
            return Answer(201, render_row(AbsenceSerializer, made), reverse("api:absence", args=[made.pk]))

        return answer_once(request, Operation(request.path), act)


class AbsenceDetail(ApiView):
    """One absence."""

    @extend_schema(operation_id="getAbsence", tags=["approvals"], responses=AbsenceSerializer)
    def get(self, request: Request, absence_id: UUID) -> Response:
        """Return an absence."""
        return Response(render_row(AbsenceSerializer, find_absence(caller(request), absence_id)))


class AbsenceEnd(ApiView):
    """The end of an absence before its time."""

    @extend_schema(
        operation_id="endAbsence",
        tags=["approvals"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=AbsenceSerializer,
    )
    def post(self, request: Request, absence_id: UUID) -> Response:
        """Take the deputy's seat back at once. Both of them may, and who may name deputies there."""
        found = find_absence(caller(request), absence_id)

        def act() -> Answer:
            return Answer(
                200, render_row(AbsenceSerializer, end_absence(actor=caller(request), absence=found))
            )

        return answer_once(request, Operation(request.path), act)


class AbsenceSubject(BodySerializer):
    absent = TextField(min_length=1, max_length=150, help_text="A username.")
    deputy = TextField(min_length=1, max_length=150, help_text="A username.")


class AbsenceProposal(ProposalBody):
    """A deputy for somebody who is away and has named none."""

    verb = DECLARE
    subject = AbsenceSubject()
    values = LeaveFields()


def read_absence(actor: User, body: Fields) -> Fields:
    """Return the arguments of `absence.declare`."""
    absent = User.objects.filter(username=body["subject"]["absent"], kind=User.Kind.PERSON).first()
    if absent is None:
        raise _unknown("absent: somebody who has calls to approve there")
    leave = _read_leave(actor, absent, body["subject"]["deputy"], body["values"])
    return as_json(leave.values())


def _read_leave(actor: User, absent: User, deputy: str, values: dict[str, Any]) -> Leave:  # Any: validated
    """Return what was said; names that lead nowhere, or nowhere that the actor may see, are refused."""
    person = User.objects.filter(username=deputy, kind=User.Kind.PERSON).first()
    if person is None:
        raise _unknown("deputy: an active person who has calls of that team to approve themselves")
    team, tool, group = values.get("team"), values.get("tool"), values.get("group")
    found_team = Team.objects.visible_to(actor).filter(slug=team).first() if team else None
    found_tool = (
        Tool.objects.visible_to(actor).filter(pk=tool).select_related("team").first() if tool else None
    )
    found_group = Group.objects.filter(name=group).first() if group else None
    for name, said, found in (
        ("team", team, found_team),
        ("tool", tool, found_tool),
        ("group", group, found_group),
    ):
        if said and found is None:
            raise _unknown(f"{name}: there is none such that you may see")
    return Leave(
        absent, person, values["begins_at"], values["ends_at"], values["reason"],
        found_team, found_tool, found_group,
    )  # fmt: skip


def _unknown(fault: str) -> ValidationFailed:
    return ValidationFailed("invalid_absence", fault, problems=[fault])


let_propose(AbsenceProposal, read_absence)
