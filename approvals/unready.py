"""Requests that are written before they are put to people: whoever asks says of which subjects it is still at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet

# Returns, in one column, the references of subjects; Any: their rows are an app's above.
Find = Callable[[], "QuerySet[Any, Any]"]
_finds: list[Find] = []


def register_unready(find: Find) -> None:
    """Register who knows of subjects that are not put to people yet."""
    if find not in _finds:
        _finds.append(find)


def is_unready() -> Q:
    """Return the condition that a request belongs to something that is still being drafted."""
    condition = Q(pk__in=[])
    for find in _finds:
        condition |= Q(subject_ref__in=find())
    return condition
