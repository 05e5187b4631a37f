"""What agents have noted for later runs, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.api.idempotency import Answer, Operation, answer_once
from agentops.api.openapi import IDEMPOTENCY_KEY
from agentops.api.serializers import (
    BodySerializer,
    QuerySerializer,
    TextField,
    read_body,
    read_query,
    render_row,
)
from agentops.api.views import ApiView, ListView
from agentops.errors import NotFound
from identities.api.authentication import caller
from identities.models import User
from runs.memory.affected import find_affected
from runs.memory.services import REASON_LIMIT, delete_memory, release_memory, revert_memory
from runs.models import Memory, MemoryReading
from runs.querysets import MemoryQuerySet


class MemorySerializer(serializers.Serializer[Memory]):
    """A note of a run's, for later runs of the same agent for the same principal."""

    id = serializers.UUIDField()
    agent = serializers.CharField(source="identity.slug")
    run = serializers.UUIDField(source="run_id", help_text="The run that wrote it.")
    step = serializers.IntegerField()
    state = serializers.ChoiceField(Memory.State.choices)
    rests_on = serializers.ChoiceField(
        Memory.Label.choices,
        source="label",
        help_text="The least trusted of what its run had read when it wrote it.",
    )
    sensitive = serializers.BooleanField(help_text="Its run had read something sensitive.")
    text = serializers.CharField(help_text="Empty where it was deleted.")
    written_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.CharField(source="settled_by.username", allow_null=True, default=None)


class MemoryReadingSerializer(serializers.Serializer[MemoryReading]):
    """A run that was shown the note, or one that rests on it."""

    run = serializers.UUIDField(source="run_id")
    memory = serializers.UUIDField(source="memory_id")
    step = serializers.IntegerField(help_text="In which step it was shown first.")
    read_at = serializers.DateTimeField()


class MemoryDetailSerializer(MemorySerializer):
    """A note with what it has reached, as far as the caller may see it."""

    read_by = MemoryReadingSerializer(many=True)
    notes = MemorySerializer(many=True, help_text="What runs that had read it have noted since.")


class MemoryQuery(QuerySerializer):
    state = serializers.ChoiceField(Memory.State.choices, required=False)


class MemoryReasonBody(BodySerializer):
    """Why; the record keeps it."""

    reason = TextField(min_length=1, max_length=REASON_LIMIT)


class MemoryDeletionBody(BodySerializer):
    """Why, if that is worth a word."""

    reason = TextField(required=False, default="", allow_blank=True, max_length=REASON_LIMIT)


class Memories(ListView):
    """The notes of the runs that the caller may see."""

    query = MemoryQuery

    @extend_schema(operation_id="listMemories", tags=["memories"], responses=MemorySerializer(many=True))
    def get(self, request: Request) -> Response:
        """List what agents have noted for later runs, newest first."""
        rows = _visible(caller(request)).filter(**read_query(self.query, request))
        return self.answer_page(
            request, rows, lambda found: [render_row(MemorySerializer, memory) for memory in found]
        )


class MemoryDetail(ApiView):
    """One note."""

    @extend_schema(operation_id="getMemory", tags=["memories"], responses=MemoryDetailSerializer)
    def get(self, request: Request, memory_id: UUID) -> Response:
        """Return a note, the runs that were shown it, and what those have noted since."""
        user = caller(request)
        return Response(_describe(_find(user, memory_id), user))


class Release(ApiView):
    """The word that lets later runs read a note."""

    @extend_schema(
        operation_id="releaseMemory", tags=["memories"], parameters=[IDEMPOTENCY_KEY], request=MemoryReasonBody,
        responses=MemoryDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, memory_id: UUID) -> Response:
        """Release a note from quarantine; what a call takes from it is believed no more than before."""
        return _settle(request, memory_id, release_memory, MemoryReasonBody)


class Revert(ApiView):
    """The word that takes a note back."""

    @extend_schema(
        operation_id="revertMemory", tags=["memories"], parameters=[IDEMPOTENCY_KEY], request=MemoryReasonBody,
        responses=MemoryDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, memory_id: UUID) -> Response:
        """Take a note back at once, and return the runs that were shown it, and what those have noted since."""
        return _settle(request, memory_id, revert_memory, MemoryReasonBody)


class Deletion(ApiView):
    """The word that deletes a note."""

    @extend_schema(
        operation_id="deleteMemory", tags=["memories"], parameters=[IDEMPOTENCY_KEY], request=MemoryDeletionBody,
        responses=MemoryDetailSerializer,
    )  # fmt: skip
    def post(self, request: Request, memory_id: UUID) -> Response:
        """Delete the words of a note; no later run is shown it."""
        return _settle(request, memory_id, delete_memory, MemoryDeletionBody)


def _settle(
    request: Request, memory_id: UUID, verb: Callable[..., Memory], body: type[BodySerializer]
) -> Response:
    actor, said = caller(request), read_body(body, request)
    memory = _find(actor, memory_id)

    def settle() -> Answer:
        return Answer(200, _describe(verb(actor=actor, memory=memory, **said), actor))

    return answer_once(request, Operation(request.path), settle)


def _describe(memory: Memory, viewer: User) -> dict[str, Any]:  # Any: JSON
    reached = find_affected(memory, viewer)
    return {
        **render_row(MemorySerializer, memory),
        "read_by": [render_row(MemoryReadingSerializer, each) for each in reached.readings],
        "notes": [render_row(MemorySerializer, each) for each in reached.notes],
    }


def _visible(user: User) -> MemoryQuerySet:
    return Memory.objects.visible_to(user).select_related("identity", "settled_by").order_by("-id")


def _find(user: User, memory_id: UUID) -> Memory:
    found = _visible(user).filter(pk=memory_id).first()
    if found is None:
        raise NotFound("unknown_memory", "There is no such note, or it is not for you to see.")
    return found
