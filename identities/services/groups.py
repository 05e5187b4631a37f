"""Groups of people: what their members may do, each in the teams they belong to."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import timezone

from agentops.errors import StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import Changes, insert_row
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from identities.roles import ROLES


@transaction.atomic
def create_group(*, actor: User, name: str, permissions: Iterable[str] = ()) -> Group:
    """Create a group. Which calls it may approve is said at each tool."""
    require(actor, "auth.add_group", None)
    group = Group(name=name)
    insert_row(group)
    set_group_permissions(actor=actor, group=group, permissions=permissions)
    return group


@transaction.atomic
def set_group_permissions(*, actor: User, group: Group, permissions: Iterable[str]) -> Changes:
    """Give a group exactly these permissions ("app.codename"); return what changed.

    Raises ValidationFailed for an unknown permission, StateConflict for a role.
    """
    require(actor, "auth.change_group", None)
    require_fresh_factor(actor)
    if group.name in ROLES:
        raise StateConflict("fixed_role", f"{group.name} is a role: what it may do is fixed, make a group")
    locked = Group.objects.select_for_update().get(pk=group.pk)
    wanted = {name: _find_permission(name) for name in permissions}
    present = sorted(_name(permission) for permission in locked.permissions.select_related("content_type"))
    if present == sorted(wanted):
        return {}
    locked.permissions.set(wanted.values())
    # A group has no stream of its own: this is an act of whoever decides what people may do.
    facts = {"group": locked.name, "permissions": sorted(wanted)}
    record(actor.id, "person", Draft("group.permissions_set", timezone.now(), facts, actor=actor.id))
    return {"permissions": (present, sorted(wanted))}


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _find_permission(name: str) -> Permission:
    app, _, codename = name.partition(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    if found is None:
        raise ValidationFailed("unknown_permission", f"there is no permission {name!r}")
    return found
