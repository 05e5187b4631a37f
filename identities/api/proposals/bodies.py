"""What may be proposed through the API: one kind of body for each verb, which the apps above register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, PolymorphicProxySerializer
from rest_framework import serializers

from agentops.api.serializers import BodySerializer, Fields, TextField
from identities.changes import find_verb
from identities.changes.proposing import REASON_LIMIT
from identities.models import User


class VerbField(TextField):
    """The word that says which kind of body this is."""

    def __init__(self, verb: str) -> None:
        self.verb = verb
        super().__init__(help_text="What is to be done.")


class VerbSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # untyped base
    """The one verb that a kind of body is for."""

    target_class = VerbField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        return {"type": "string", "const": self.target.verb}


class ProposalBody(BodySerializer):
    """A change: the verb, what it is about (`subject`), how that is to stand (`values`), and why."""

    verb: ClassVar[str]
    reason = TextField(
        required=False,
        default="",
        allow_blank=True,
        max_length=REASON_LIMIT,
        help_text="Why, for who decides.",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {"verb": VerbField(self.verb), **super().get_fields()}


@dataclass(frozen=True, slots=True)
class Proposable:
    """``read`` turns a validated body into the verb's arguments; it finds only what the actor may see."""

    body: type[ProposalBody]
    read: Callable[[User, Fields], Fields]


_proposable: dict[str, Proposable] = {}


def let_propose(body: type[ProposalBody], read: Callable[[User, Fields], Fields]) -> None:
    """Take this kind of body for its verb, which has to be a governed one."""
    _proposable[find_verb(body.verb).name] = Proposable(body, read)


def proposable_verbs() -> list[str]:
    """Return what may be proposed through the API."""
    return sorted(_proposable)


def find_proposable(body: object) -> Proposable:
    """Return how to read a body, by its verb; raises ValidationError, which is answered with 422."""
    verb = body.get("verb") if isinstance(body, dict) else None
    if not isinstance(verb, str) or verb not in _proposable:
        problem = f"One of {', '.join(proposable_verbs())}."
        raise serializers.ValidationError({"verb": [serializers.ErrorDetail(problem, code="unknown_verb")]})
    return _proposable[verb]


def any_body() -> PolymorphicProxySerializer:
    """Return what the OpenAPI document says of all these bodies."""
    return PolymorphicProxySerializer("ProposalBody", _bodies, "verb")


def _bodies() -> dict[str, serializers.Serializer[Any] | type[serializers.Serializer[Any]]]:
    return {verb: _proposable[verb].body for verb in proposable_verbs()}
