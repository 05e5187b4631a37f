"""Who may read which ledger stream: each app says it for the kinds of stream that are its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db.models import Exists, OuterRef, Q, QuerySet

from agentops.ledger.models import Stream

Visible = Callable[[Any], "QuerySet[Any]"]  # Any: the console does not know the apps' models, nor their user

_kinds: dict[str, Visible] = {}


def register_streams(kind: str, visible: Visible) -> None:
    """Say that a stream of this kind may be read by whoever sees the object of the same id."""
    _kinds[kind] = visible


def streams_visible_to(user: AbstractUser) -> QuerySet[Stream]:
    """Return the streams that a person may read: all with ``ledger.view_entry``, else their teams'."""
    if user.has_perm("ledger.view_entry"):
        return Stream.objects.all()
    seen = Q(pk__in=[])
    for kind, visible in _kinds.items():
        # Asked of each stream that is looked at, and not gathered first: there are as many as there were runs.
        seen |= Q(Exists(visible(user).filter(pk=OuterRef("pk"))), kind=kind)
    return Stream.objects.filter(seen)


def known_kinds() -> list[str]:
    """Return the kinds of stream that can be searched for."""
    return sorted(_kinds)
