"""The breaker of one tool: how it has moved, and what operators do to it, by the services that the console calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import BodySerializer, Fields, TextField, read_body, render_row
from agentops.api.views import ApiView
from agentops.errors import NotFound, ValidationFailed
from identities.api.authentication import caller
from identities.models import User
from identities.querysets import is_known_person
from tools.api.serializers import BreakerSerializer
from tools.breaker_history import read_breaker_history
from tools.mirror import look_at_breaker
from tools.models import Tool
from tools.services.breakers import force_breaker_open, lift_forced_breaker, reset_breaker

WHAT = ["open", "closed", "forced_open", "lifted", "reset"]
ACTS = ["force_open", "lift", "reset"]


class BreakerMoveSerializer(serializers.Serializer[Any]):  # Any: a Turn
    """One move; `by` is empty where the breaker moved by itself, and `before` where a person moved it."""

    at = serializers.DateTimeField()
    what = serializers.ChoiceField(WHAT)
    before = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    by = serializers.CharField(allow_blank=True)


class BreakerStretchSerializer(serializers.Serializer[Any]):  # Any: a mapping
    """A time in which no calls went out."""

    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    why = serializers.ChoiceField(["open", "forced_open"])


class BreakerHistorySerializer(serializers.Serializer[Any]):  # Any: a mapping
    """A breaker as it stands, its moves since `since`, the newest first, and when no calls went out."""

    breaker = BreakerSerializer()
    since = serializers.DateTimeField(help_text="30 days ago, or the hundredth last move.")
    openings = serializers.IntegerField(help_text="How often it opened by itself.")
    moves = BreakerMoveSerializer(many=True)
    stretches = BreakerStretchSerializer(many=True)


class BreakerBody(BodySerializer):
    """What is to be done to a breaker. To force it open takes a reason; the record keeps it."""

    act = serializers.ChoiceField(ACTS)
    reason = TextField(required=False, default="", allow_blank=True, max_length=500)


class ToolBreaker(ApiView):
    """Whether a tool is called, since when not, and whose word that is."""

    @extend_schema(operation_id="getBreaker", tags=["tools"], responses=BreakerHistorySerializer)
    def get(self, request: Request, tool_id: UUID) -> Response:
        """Return the breaker of a tool with its last 30 days. For people only."""
        return Response(show_breaker(_find(caller(request), tool_id)))

    @extend_schema(
        operation_id="operateBreaker",
        tags=["tools"],
        parameters=[IDEMPOTENCY_KEY],
        request=BreakerBody,
        responses=BreakerHistorySerializer,
    )
    def post(self, request: Request, tool_id: UUID) -> Response:
        """Force the breaker open, lift that again, or reset the automatic one. Lifting takes a fresh second factor.

        409 `breaker_forced_open` and `breaker_not_forced` where it stands so already.
        """
        actor, body = caller(request), read_body(BreakerBody, request)
        tool = _find(actor, tool_id)

        def act() -> Answer:
            return Answer(200, show_breaker(_operate(actor, tool, **body)))

        return answer_once(request, Operation(request.path), act)


def show_breaker(tool: Tool) -> Fields:
    """Return a breaker as the API shows it."""
    now, shown = timezone.now(), look_at_breaker(tool)
    history = read_breaker_history(tool, shown, now)
    stretches = [{"since": since, "until": until, "why": why} for since, until, why in history.spans]
    told = {
        "breaker": shown,
        "since": history.since,
        "openings": history.openings,
        "moves": history.turns,
        "stretches": stretches,
    }
    return render_row(BreakerHistorySerializer, told)


def _operate(actor: User, tool: Tool, act: str, reason: str) -> Tool:
    if act == "force_open" and not reason:
        raise ValidationFailed("reason_missing", "say why; the record keeps it")
    acts: dict[str, Callable[[], Tool]] = {
        "force_open": lambda: force_breaker_open(actor=actor, tool=tool, reason=reason),
        "lift": lambda: lift_forced_breaker(actor=actor, tool=tool),
        "reset": lambda: reset_breaker(actor=actor, tool=tool),
    }
    return acts[act]()


def _find(user: User, tool_id: UUID) -> Tool:
    tools = Tool.objects.visible_to(user).select_related("team", "breaker_state", "forced_open_by")
    tool: Tool | None = tools.filter(pk=tool_id).first()
    if tool is None or not is_known_person(user):
        raise NotFound("unknown_tool", "There is no such tool, or it is not for you to know.")
    return tool
