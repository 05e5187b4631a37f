"""Who must say yes: requests for a human decision, and the decisions.

A request knows no run: ``subject_ref`` is opaque, and what a person needs to see is a snapshot in the
request's own ledger stream, because it is personal and must be erasable.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from agentops.identifiers import new_id
from approvals.querysets import ApprovalRequestQuerySet
from identities.models import AgentIdentity, Application, Principal, Team, User
from tools.models import Tool, ToolVersion


class Factor(models.TextChoices):
    """With what people have to prove that they are there."""

    ANY = "any", "any second factor"
    KEY = "key", "a security key, which signs what is decided"


class ApprovalRequest(models.Model):
    """A question to people: may this identity make exactly this call? Its id is its ledger stream."""

    class State(models.TextChoices):
        WAITING = "waiting"
        APPROVED = "approved"
        DENIED = "denied"
        EXPIRED = "expired"
        VOIDED = "voided"
        EDITED = "edited"
        ASKED = "asked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="approvals")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="approvals")
    tool_version = models.ForeignKey(ToolVersion, on_delete=models.PROTECT)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="approvals")
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True)
    requested_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The person who started the work.",
    )
    owner = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="Who owned the agent when it asked; a change of owner since frees nobody to decide.",
    )
    key_issuer = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="Who issued the API key with which the work was started.",
    )
    subject_ref = models.CharField(max_length=80, db_index=True)
    wake_task = models.CharField(max_length=80, help_text="The task that is told of the decision.")
    key = models.CharField(max_length=120, help_text="The idempotency key of the one call it covers.")
    digest = models.CharField(
        max_length=64, help_text="Binds tool version, arguments, identity, principal and terms."
    )
    effect = models.CharField(max_length=16)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    veto_s = models.PositiveIntegerField(
        default=0, db_default=0, help_text="For so many seconds after the decision it is held, for a veto."
    )
    # What the team's rule asked for; none: one yes of whoever has the tool's calls to approve.
    rule = models.ForeignKey(
        "approvals.ApprovalRule", on_delete=models.PROTECT, null=True, related_name="requests", db_index=False
    )
    reason_required = models.BooleanField(default=False, db_default=False)
    factor = models.CharField(max_length=8, choices=Factor, default=Factor.ANY, db_default=Factor.ANY)
    stage = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Which of its stages is asked now, from 1."
    )
    stage_at = models.DateTimeField(null=True, help_text="Since when.")
    escalates_at = models.DateTimeField(null=True, help_text="When others may decide in this stage too.")
    follows = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="followed_by",
        help_text="The request before: somebody edited its call, or asked the agent back about it.",
    )
    edited_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text="Whose edit made the call what it is.",
    )
    decided_at = models.DateTimeField(null=True)
    consumed_at = models.DateTimeField(null=True)

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(consumed_at=None) | Q(state="approved"),
                name="approval_consumed_only_when_approved",
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["waiting", "approved"]),
                name="approval_one_open_per_call",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="approval_waiting", condition=Q(state="waiting")),
            models.Index(fields=["created_at"], name="approval_oldest", condition=Q(state="waiting")),
            models.Index(fields=["-decided_at"], name="approval_latest", condition=~Q(state="waiting")),
            models.Index(
                fields=["tool", "principal", "-decided_at"],
                name="approval_amounts",
                condition=Q(state="approved", amount__isnull=False),
            ),
            models.Index(
                fields=["escalates_at"],
                name="approval_escalates",
                condition=Q(state="waiting", escalates_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identity} → {self.tool}"

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it: it was not approved, or the call that it covers has gone out."""
        may_come = self.state in (self.State.WAITING, self.State.APPROVED)
        return not may_come or self.consumed_at is not None


class ApprovalParent(models.Model):
    """A run that the asking one acts for, the nearest first: its fields are those of the request itself.

    They are kept because a request knows no run, and because the owner at that moment is written nowhere else.
    """

    pk = models.CompositePrimaryKey("request_id", "place")
    request = models.ForeignKey(
        ApprovalRequest, on_delete=models.PROTECT, related_name="parents", db_index=False
    )
    place = models.PositiveSmallIntegerField()
    subject_ref = models.CharField(max_length=80)
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="+")
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    key_issuer = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )

    class Meta:
        ordering: ClassVar = ["place"]

    def __str__(self) -> str:
        return f"{self.request_id} acts for {self.subject_ref}"


class ApprovalDecision(models.Model):
    """One person's answer. The words of the reason are content of the request's stream."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        DENY = "deny"
        EDIT = "edit"
        ASK = "ask"

    class Channel(models.TextChoices):
        CONSOLE = "console"
        API = "api"
        TERMINAL = "terminal"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=8, choices=Verdict)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="decisions")
    channel = models.CharField(max_length=10, choices=Channel)
    digest = models.CharField(max_length=64, help_text="The digest that the person was shown.")
    stage = models.PositiveSmallIntegerField(default=1, db_default=1)
    # Of whom it takes the seat, where that is not the decider's own, and by what.
    deputy_for = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    absence = models.ForeignKey(
        "approvals.Absence", on_delete=models.PROTECT, null=True, db_index=False, related_name="decisions"
    )
    decided_at = models.DateTimeField()
    preset = models.CharField(
        max_length=40, blank=True, db_default="", help_text="Of the team's reasons to deny."
    )
    by_edit = models.BooleanField(
        default=False, db_default=False, help_text="Given by having edited the call into this one."
    )
    # How it was looked at; empty where that is not known.
    opened_s = models.PositiveIntegerField(null=True, help_text="Seconds since this person first opened it.")
    to_read = models.PositiveIntegerField(null=True, help_text="Words that there were to read.")
    unfolded = models.PositiveSmallIntegerField(
        null=True, help_text="Parts of the page that were unfolded, as the browser says."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "decided_by"], name="decision_once_per_person"),
            # The absent and who stands in for them have one seat between them.
            models.UniqueConstraint(
                "request", Coalesce("deputy_for", "decided_by"), name="decision_once_per_seat"
            ),
            models.CheckConstraint(
                condition=Q(deputy_for=None, absence=None)
                | Q(deputy_for__isnull=False, absence__isnull=False) & ~Q(deputy_for=F("decided_by")),
                name="decision_for_somebody_else_by_absence",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["decided_by", "-decided_at"], name="decision_latest_of_person"),
            models.Index(fields=["-decided_at"], name="decision_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.decided_by}"
