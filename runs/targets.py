"""What was stopped, by the name that people know it by: the row of a stop, or of a switch, has its id."""

from __future__ import annotations

from typing import Any

from django.db.models import (
    Case,
    CharField,
    Expression,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    UUIDField,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat, Right

from identities.models import AgentIdentity, ApiKey, Application, Principal, User
from runs.models import Run
from tools.models import Tool


def name_targets(rows: QuerySet[Any], person: User) -> QuerySet[Any]:  # Any: stops, or switches
    """Add ``named``: the target's name, where the person may see what bears it; the target itself elsewhere."""
    named: QuerySet[Any] = rows.annotate(
        named=Case(
            *[
                When(scope=scope, then=_named(bearers, name))
                for scope, (bearers, name) in _bearers(person).items()
            ],
            default=F("target"),
            output_field=CharField(),
        )
    )
    return named


def _bearers(person: User) -> dict[str, tuple[QuerySet[Any], Expression | F]]:  # Any: of different models
    """Return where each scope's targets are, and what names one."""
    short = Right(Cast("pk", CharField()), 8)
    return {
        "run": (Run.objects.visible_to(person), Concat("identity__name", Value(" · "), short)),
        "agent": (AgentIdentity.objects.visible_to(person), F("name")),
        "tool": (Tool.objects.visible_to(person), F("name")),
        "application": (Application.objects.visible_to(person), F("name")),
        "principal": (Principal.objects.visible_to(person), F("subject")),
        "credential": (
            ApiKey.objects.filter(user__application__in=Application.objects.visible_to(person)),
            Concat("label", Value(" · "), "key_id"),
        ),
    }


def _named(bearers: QuerySet[Any], name: Expression | F) -> Subquery:  # Any: of whichever model
    target = bearers.order_by().filter(pk=Cast(OuterRef("target"), UUIDField()))
    return Subquery(target.annotate(bears=name).values("bears")[:1])
