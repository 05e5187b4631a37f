"""Whether a person could do a thing at all: what a list asks before it offers an action for its rows."""

from __future__ import annotations

from typing import Any

from guardian.shortcuts import get_objects_for_user


def holds_somewhere(user: Any, permission: str) -> bool:
    """Return whether a user has a permission ("app.codename") for all objects, or for one at least.

    The service decides again about each object; Any: the console does not know the user model.
    """
    if user.has_perm(permission):
        return True
    return bool(get_objects_for_user(user, permission, accept_global_perms=False).exists())
