"""Who may use a tool, and on which terms."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, Principal, User
from tools.models.catalogue import Tool
from tools.querysets import ToolGrantQuerySet, UserTermsQuerySet


class ToolGrant(models.Model):
    """What an identity may do with a tool. Versioned: a change supersedes the row, it does not edit it."""

    class Decision(models.TextChoices):
        ALLOW = "ALLOW"
        ALLOW_WITH_CAPS = "ALLOW_WITH_CAPS"
        REQUIRE_APPROVAL = "REQUIRE_APPROVAL"
        DENY = "DENY"

    class State(models.TextChoices):
        ACTIVE = "active"
        SUPERSEDED = "superseded"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="grants")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="grants")
    version = models.PositiveIntegerField()
    decision = models.CharField(max_length=20, choices=Decision)
    caps = models.JSONField(
        default=list,
        blank=True,
        help_text='List of {"per": call|run|hour|day, "count": n, "amount": "0.00"}.',
    )
    over_caps = models.CharField(
        max_length=20, default="DENY", choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")]
    )
    approval_ttl_s = models.PositiveIntegerField(default=600)
    veto_s = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="For so many seconds a call with an effect is held before it goes out, for people to veto it.",
    )
    confirmation = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The end user confirms each call, through their application, before it goes out.",
    )
    valid_until = models.DateTimeField(null=True, blank=True)
    policy_table = models.ForeignKey(
        "tools.DecisionTable",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="grants",
        help_text="A decision table that is asked about every call; the stricter of it and these terms counts.",
    )
    state = models.CharField(max_length=16, choices=State, default=State.ACTIVE)
    # A waiver lets an irreversible tool run without a human: two named people, one version of it, an end, caps.
    waived_version_digest = models.CharField(max_length=64, blank=True, editable=False)
    waiver_reason = models.CharField(max_length=300, blank=True)
    waived_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    countersigned_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    waiver_expires_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ToolGrantQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity", "tool"], condition=Q(state="active"), name="grant_one_active_per_tool"
            ),
            models.UniqueConstraint(fields=["identity", "tool", "version"], name="grant_version_once"),
            models.CheckConstraint(
                condition=Q(waived_by=None, countersigned_by=None)
                | (
                    Q(
                        waived_by__isnull=False,
                        countersigned_by__isnull=False,
                        waiver_expires_at__isnull=False,
                    )
                    & ~Q(waived_by=models.F("countersigned_by"))
                    & ~Q(waiver_reason="")
                ),
                name="grant_waiver_has_two_people_and_an_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity} · {self.tool} · {self.decision}"


class UserTerms(models.Model):
    """What agents may do with a tool on behalf of one end user, or of each of them. It takes away, and gives nothing.

    A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="user_terms")
    principal = models.ForeignKey(
        Principal,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="None: every end user.",
    )
    decision = models.CharField(max_length=20, choices=ToolGrant.Decision)
    caps = models.JSONField(
        default=list,
        blank=True,
        help_text='List of {"per": call|hour|day|month, "count": n, "amount": "0.00"}, for each of them.',
    )
    over_caps = models.CharField(
        max_length=20, default="DENY", choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")]
    )
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = UserTermsQuerySet.as_manager()

    class Meta:
        verbose_name = "terms of an end user"
        verbose_name_plural = "terms of end users"
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tool", "principal"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="user_terms_once_per_tool",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} · {self.principal or 'every end user'} · {self.decision}"
