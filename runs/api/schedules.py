"""Runs that begin by the clock: to set, to look at, and to stop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agentops.api.idempotency import Answer, Operation, answer_once, read_key
from agentops.api.openapi import IDEMPOTENCY_KEY, REQUIRED_IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    Fields,
    FlagField,
    NumberField,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
    render_rows,
)
from agentops.api.views import ApiView, ListView
from identities.api.authentication import caller
from identities.api.proposals.serializers import EmptyBody
from identities.api.views import find_agent
from identities.models import ApiKey, User
from runs.api.bodies import ControlBody, PrincipalBody, TaskField
from runs.api.principals import principal_of
from runs.api.serializers import PrincipalSerializer
from runs.api.words import PRIORITIES
from runs.models import Priority, RunMode, Schedule
from runs.schedules.services import (
    MOST_SPREAD_S,
    Task,
    change_schedule,
    create_schedule,
    end_schedule,
    find_schedule,
    pause_schedule,
    resume_schedule,
)

View = TypeVar("View", bound=type[APIView])


class ScheduleSerializer(serializers.Serializer[Schedule]):
    """When which agent is given what, in whose name; `paused_for` is a code that says why it rests."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    agent = serializers.CharField(source="identity.slug")
    agent_version = serializers.UUIDField(source="agent_version_id", allow_null=True)
    owner = serializers.CharField(source="owner.username")
    principal = PrincipalSerializer(allow_null=True)
    message = serializers.CharField(allow_null=True)
    cron = serializers.CharField()
    timezone = serializers.CharField()
    catch_up = serializers.ChoiceField(Schedule.CatchUp.choices)
    overlap = serializers.ChoiceField(Schedule.Overlap.choices)
    spread_s = serializers.IntegerField()
    mode = serializers.ChoiceField(RunMode.choices)
    priority = serializers.ChoiceField(PRIORITIES, source="get_priority_display")
    task = serializers.CharField(allow_blank=True, help_text="As of a run.")
    state = serializers.ChoiceField(Schedule.State.choices)
    paused_for = serializers.CharField()
    due_at = serializers.DateTimeField()
    starts_at = serializers.DateTimeField()
    refusals = serializers.IntegerField()
    last_run = serializers.UUIDField(source="last_run_id", allow_null=True)
    created_at = serializers.DateTimeField()


class TaskBody(BodySerializer):
    """What is to be done, and when."""

    name = TextField(
        min_length=1, max_length=80, help_text="Yours for this agent and user, until it has ended."
    )
    message = TextField(min_length=1, help_text="The task, in the user's words.")
    cron = TextField(
        min_length=1, max_length=100, help_text="Minute, hour, day, month, weekday: `0 9 * * 1-5`."
    )
    timezone = TextField(
        required=False, default="UTC", min_length=1, max_length=64, help_text="`Europe/Berlin`"
    )
    catch_up = serializers.ChoiceField(
        Schedule.CatchUp.choices, required=False, default=Schedule.CatchUp.LAST,
        help_text="What becomes of times that went by while nothing could be started.",
    )  # fmt: skip
    overlap = serializers.ChoiceField(
        Schedule.Overlap.choices, required=False, default=Schedule.Overlap.SKIP,
        help_text="What happens while the last run still goes.",
    )  # fmt: skip
    spread_s = NumberField(
        required=False, default=0, min_value=0, max_value=MOST_SPREAD_S,
        help_text="Each start is put off by up to so many seconds.",
    )  # fmt: skip
    mode = serializers.ChoiceField(RunMode.choices, required=False, default=RunMode.ACT)
    priority = serializers.ChoiceField(PRIORITIES, required=False, default=Priority.NORMAL.label)
    task = TaskField()
    pinned = FlagField(
        required=False, default=False, help_text="Only by the version that is published now; else it rests."
    )


class ScheduleBody(TaskBody):
    """A task for an agent by the clock. An application says for which user; a person sets it for themselves."""

    agent = TextField(min_length=1, max_length=50, help_text="The agent's slug.")
    principal = PrincipalBody(required=False)


class ScheduleQuery(QuerySerializer):
    state = serializers.ChoiceField(Schedule.State.choices, required=False)


class Schedules(ListView):
    """The schedules that the caller may see."""

    query = ScheduleQuery

    @extend_schema(operation_id="listSchedules", tags=["schedules"], responses=ScheduleSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List schedules, newest first: those of a person's teams, or an application's own."""
        filters = read_query(self.query, request)
        rows = Schedule.objects.visible_to(caller(request)).filter(**filters)
        related = rows.select_related("identity", "owner", "principal")
        return self.answer_page(request, related, partial(render_rows, ScheduleSerializer))

    @extend_schema(
        operation_id="createSchedule",
        tags=["schedules"],
        parameters=[REQUIRED_IDEMPOTENCY_KEY],
        request=ScheduleBody,
        responses={201: ScheduleSerializer},
    )
    def post(self, request: Request) -> Response:
        """Have an agent given a task by the clock.

        Each time it is as if the caller started it then: with the right, the key and the agent's version of then. What
        is refused a few times in a row rests, and says why. 409 `name_taken`.
        """
        read_key(request, required=True)
        body = read_body(ScheduleBody, request)
        actor = caller(request)
        principal = principal_of(actor, body.pop("principal", None))

        def act() -> Answer:
            made = create_schedule(
                actor=actor,
                agent=find_agent(actor, slug=body["agent"]),
                task=_read_task(body),
                principal=principal,
                credential=_key_of(request),
            )
            return Answer(201, _show(made), reverse("api:schedule", args=[made.pk]))

        operation = Operation("schedules", principal, conceal=_without_words, restore=_with_words)
        return answer_once(request, operation, act, required=True)


class ScheduleDetail(ApiView):
    """One schedule."""

    @extend_schema(operation_id="getSchedule", tags=["schedules"], responses=ScheduleSerializer)
    def get(self, request: Request, schedule_id: UUID) -> Response:
        """Return a schedule: when it is due next, its last run, and why it rests."""
        return Response(_show(find_schedule(caller(request), schedule_id)))


class ScheduleVerb(ApiView):
    """A verb on a schedule; the answer shows it afterwards."""

    body: ClassVar[type[BodySerializer]] = ControlBody

    def perform(self, request: Request, actor: User, schedule: Schedule, body: Fields) -> Schedule:
        """Call the service, which decides who may."""
        raise NotImplementedError

    def post(self, request: Request, schedule_id: UUID) -> Response:
        """Do it once."""
        actor = caller(request)
        schedule = find_schedule(actor, schedule_id)
        body = read_body(self.body, request)

        def act() -> Answer:
            return Answer(200, _show(find_schedule(actor, self.perform(request, actor, schedule, body).pk)))

        operation = Operation(request.path, conceal=_without_words, restore=_with_words)
        return answer_once(request, operation, act)


def _described(
    operation_id: str, description: str, body: type[BodySerializer] = ControlBody
) -> Callable[[View], View]:
    return extend_schema_view(
        post=extend_schema(
            operation_id=operation_id, description=description, tags=["schedules"], parameters=[IDEMPOTENCY_KEY],
            request=body, responses={200: ScheduleSerializer},
        )
    )  # fmt: skip


@_described("changeSchedule", "Say anew what is done, and when: all of it. Only its owner may.", TaskBody)
class ScheduleChange(ScheduleVerb):
    body = TaskBody

    def perform(self, request: Request, actor: User, schedule: Schedule, body: Fields) -> Schedule:
        key = _key_of(request)
        return change_schedule(actor=actor, schedule=schedule, task=_read_task(body), credential=key)


@_described("pauseSchedule", "Let nothing begin by it until its owner resumes it.")
class SchedulePause(ScheduleVerb):
    def perform(self, request: Request, actor: User, schedule: Schedule, body: Fields) -> Schedule:
        return pause_schedule(actor=actor, schedule=schedule, reason=body["reason"])


@_described(
    "resumeSchedule", "Go on with its next time, with the key of this request. Only its owner may.", EmptyBody
)
class ScheduleResume(ScheduleVerb):
    body = EmptyBody

    def perform(self, request: Request, actor: User, schedule: Schedule, body: Fields) -> Schedule:
        return resume_schedule(actor=actor, schedule=schedule, credential=_key_of(request))


@_described("endSchedule", "End it for good; what has begun goes on.")
class ScheduleEnd(ScheduleVerb):
    def perform(self, request: Request, actor: User, schedule: Schedule, body: Fields) -> Schedule:
        return end_schedule(actor=actor, schedule=schedule, reason=body["reason"])


def _read_task(body: Fields) -> Task:
    names = Task.__dataclass_fields__
    values = {name: value for name, value in body.items() if name in names}
    return Task(**{**values, "priority": Priority[values["priority"].upper()]})


def _key_of(request: Request) -> ApiKey | None:
    return request.auth if isinstance(request.auth, ApiKey) else None


def _show(schedule: Schedule) -> Fields:
    return render_row(ScheduleSerializer, schedule)


Body = dict[str, Any]  # Any: JSON


def _without_words(body: Body) -> Body:
    """Keep no person and no words with an answer that may be asked for again."""
    return {**body, "principal": None, "message": None}


def _with_words(body: Body) -> Body:
    told = _show(Schedule.objects.select_related("principal", "identity", "owner").get(pk=body["id"]))
    return {**body, "principal": told["principal"], "message": told["message"]}
