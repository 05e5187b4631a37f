"""Whether a person could do a thing at all: what a list asks before it offers an action for its rows."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from guardian.shortcuts import get_objects_for_user

from agentops.look_once import look_once


def holds_somewhere(user: Any, permission: str) -> bool:
    """Return whether a user has a permission ("app.codename") for all objects, or for one at least.

    The service decides again about each object; Any: the console does not know the user model.
    """
    if user.has_perm(permission):
        return True
    rows: QuerySet[Any] = get_objects_for_user(user, permission, accept_global_perms=False)
    return look_once(("holds somewhere", user.pk, permission), rows.exists)
