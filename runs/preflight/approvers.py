"""Whether there is anybody who could approve a tool's calls for an agent."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnCredential

from identities.models import AgentIdentity, User
from tools.models import Tool, ToolGroupObjectPermission, ToolUserObjectPermission

CODENAME = "approve_calls"


def find_approvable(tools: Iterable[Tool], identity: AgentIdentity) -> frozenset[UUID]:
    """Return which of these tools have somebody who could decide about the agent's calls, in one statement."""
    rows = Tool.objects.filter(pk__in=[tool.pk for tool in tools])
    able = rows.filter(Exists(able_approvers(OuterRef(OuterRef("pk")), identity)))
    return frozenset(able.values_list("pk", flat=True))


def able_approvers(tool: Tool | OuterRef, identity: AgentIdentity) -> QuerySet[User]:
    """Return the people who could decide: active, given the right by a row, able to prove it is them.

    The agent's owner is none of them. Only the demo, which runs on loopback, does without a second factor.
    """
    rows = {"content_object": tool, "permission__codename": CODENAME}
    direct = ToolUserObjectPermission.objects.filter(**rows).values("user")
    groups = ToolGroupObjectPermission.objects.filter(**rows).values("group")
    people = User.objects.filter(Q(pk__in=direct) | Q(groups__in=groups), kind="person", is_active=True)
    people = people.exclude(pk=identity.owner_id).distinct()
    if settings.DEMO:
        return people
    theirs = {"user": OuterRef("pk"), "confirmed": True}
    apps, keys = TOTPDevice.objects.filter(**theirs), WebAuthnCredential.objects.filter(**theirs)
    return people.filter(Exists(apps) | Exists(keys))
