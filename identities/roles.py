"""Roles: five groups whose permissions are fixed here, and counted in the teams that a person belongs to.

Whoever wants to know what a role may do reads this file; nobody changes it from within: the service refuses, the
database refuses the application's role, and every migration makes the groups as they stand here. What is given for
one object, such as a tool's calls to approve, is given to people and groups beside their role.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db.models import Exists

from agentops.errors import ValidationFailed

AUDITOR = "auditor"
ROLES: dict[str, frozenset[str]] = {
    # Sees what their teams have; changes nothing, so it goes with no other role.
    AUDITOR: frozenset(),
    "approver": frozenset(
        {
            "runs.answer_handover",
            "runs.extend_budget",
            "runs.release_memory",
            "runs.settle_outcome",
            "runs.veto_call",
        }
    ),
    "tool owner": frozenset(
        {
            "identities.add_secret",
            "identities.change_secret",
            "tools.add_decisiontable",
            "tools.add_decisiontableversion",
            "tools.add_tool",
            "tools.add_toolversion",
            "tools.change_decisiontableversion",
            "tools.change_tool",
            "tools.operate_tool",
        }
    ),
    "identity admin": frozenset(
        {
            "approvals.add_absence",
            "approvals.add_approvalrule",
            "approvals.add_noticechannel",
            "approvals.change_noticechannel",
            "approvals.change_reviewcapacity",
            "identities.add_agentidentity",
            "identities.add_apikey",
            "identities.add_application",
            "identities.add_credential",
            "identities.add_tokenissuer",
            "identities.change_agentidentity",
            "identities.change_application",
            "identities.change_team",
            "identities.operate_agent",
            "runs.add_agentversion",
            "runs.add_budget",
            "runs.change_agentversion",
            "runs.change_evaluationset",
            "tools.add_toolgrant",
        }
    ),
    "operator": frozenset(
        {
            "identities.operate_agent",
            "identities.throw_killswitch",
            "runs.answer_handover",
            "runs.control_run",
            "runs.settle_outcome",
            "runs.veto_call",
            "tools.operate_tool",
        }
    ),
}


def establish_roles(**_: Any) -> None:  # Any: what the signal tells
    """Make the groups as they stand here; after the migrations, as the owner. Permissions not made yet come later."""
    known = {
        f"{app}.{codename}": pk
        for app, codename, pk in Permission.objects.values_list("content_type__app_label", "codename", "pk")
    }
    for name, permissions in ROLES.items():
        group, _made = Group.objects.get_or_create(name=name)
        wanted = {known[permission] for permission in permissions if permission in known}
        if set(group.permissions.values_list("pk", flat=True)) != wanted:
            group.permissions.set(sorted(wanted))  # in an order: two databases of one source are alike


def is_auditor(person: Any) -> bool:  # Any: a user of any kind
    """Return whether somebody has the role that changes nothing."""
    return bool(person.groups.filter(name=AUDITOR).exists())


def is_auditor_now(person: Any) -> Exists:  # Any: as above
    """Return the same as a condition, for a statement that asks something else as well."""
    return Exists(Group.objects.filter(user=person.pk, name=AUDITOR))


def check_roles(names: Iterable[str], *, superuser: bool) -> None:
    """Raise ValidationFailed for an auditor who could change something."""
    roles = ROLES.keys() & set(names)
    if AUDITOR in roles and (superuser or len(roles) > 1):
        raise ValidationFailed(
            "auditor_only",
            "an auditor changes nothing: neither another role nor a superuser's right goes with it",
        )
