"""Who may approve a tool's calls: people and groups, given the right on this one tool."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import transaction
from guardian.shortcuts import assign_perm, remove_perm

from agentops.errors import PolicyDenied, ValidationFailed
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from identities.querysets import is_known_person
from tools.models import Tool, ToolGroupObjectPermission, ToolUserObjectPermission
from tools.services.catalogue import CHANGE, lock_tool, record_tool

CODENAME = "approve_calls"


@transaction.atomic
def add_approver(*, actor: User, tool: Tool, approver: User | Group) -> bool:
    """Let a person or a group approve calls; return whether that is new.

    Raises ValidationFailed for a service account: no machine approves. Raises PolicyDenied `own_approval` for
    oneself, also through a group: rank lets nobody approve, and here it would.
    """
    locked = lock_tool(tool)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if isinstance(approver, User) and not is_known_person(approver):
        raise ValidationFailed("not_a_person", "an approver is an active person, or a group of people")
    if _is_approver(locked, approver):
        return False
    _refuse_oneself(actor, approver)
    assign_perm(CODENAME, approver, locked)
    record_tool(locked, "approver.added", actor, _name(approver))
    return True


@transaction.atomic
def remove_approver(*, actor: User, tool: Tool, approver: User | Group) -> bool:
    """Take that right away again; return whether it was there."""
    locked = lock_tool(tool)
    require(actor, CHANGE, locked.team, locked)
    require_fresh_factor(actor)
    if not _is_approver(locked, approver):
        return False
    remove_perm(CODENAME, approver, locked)
    record_tool(locked, "approver.removed", actor, _name(approver))
    return True


def _refuse_oneself(actor: User, approver: User | Group) -> None:
    remedy = "ask a colleague who may change the tool"
    if approver == actor:
        raise PolicyDenied("own_approval", f"nobody lets themselves approve: {remedy}")
    if isinstance(approver, Group) and actor.groups.filter(pk=approver.pk).exists():
        raise PolicyDenied(
            "own_approval",
            f"you are in the group {approver.name}, and nobody lets themselves approve: {remedy}",
        )


def _is_approver(tool: Tool, approver: User | Group) -> bool:
    if isinstance(approver, User):
        return ToolUserObjectPermission.objects.filter(
            user=approver, content_object=tool, permission__codename=CODENAME
        ).exists()
    return ToolGroupObjectPermission.objects.filter(
        group=approver, content_object=tool, permission__codename=CODENAME
    ).exists()


def _name(approver: User | Group) -> dict[str, str]:
    return {"person": str(approver.id)} if isinstance(approver, User) else {"group": approver.name}
