"""What end users are asked to confirm."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from approvals.querysets import ConfirmationQuerySet
from identities.models import AgentIdentity, Application, Principal, Team
from tools.models import Tool, ToolVersion


class Confirmation(models.Model):
    """A question to an end user, through their application: shall exactly this be done? Its id is its ledger stream."""

    class State(models.TextChoices):
        WAITING = "waiting"
        CONFIRMED = "confirmed"
        REFUSED = "refused"
        EXPIRED = "expired"
        VOIDED = "voided"

    class Proof(models.TextChoices):
        TOKEN = "token", "a verified token of the user's"
        ASSERTED = "asserted", "the word of an application that is trusted to name users"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="+")
    tool_version = models.ForeignKey(ToolVersion, on_delete=models.PROTECT, related_name="+")
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="+")
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="+")
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, related_name="+", help_text="Through which the user is asked."
    )
    subject_ref = models.CharField(max_length=80, db_index=True)
    wake_task = models.CharField(max_length=80, help_text="The task that is told of the answer.")
    key = models.CharField(max_length=120, help_text="The idempotency key of the one call it covers.")
    digest = models.CharField(
        max_length=64, help_text="Of the call as approvers sign it: version, arguments, terms, state."
    )
    effect = models.CharField(max_length=16)
    amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    currency = models.CharField(max_length=8, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    proof = models.CharField(
        max_length=16, choices=Proof, blank=True, help_text="How it is known that the user has answered."
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    good_for_s = models.PositiveIntegerField(help_text="For so long after the answer it may be used.")
    decided_at = models.DateTimeField(null=True)
    consumed_at = models.DateTimeField(null=True)

    objects = ConfirmationQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(consumed_at=None) | Q(state="confirmed"),
                name="confirmation_consumed_only_when_given",
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | (Q(decided_at__isnull=False) & ~Q(proof="")),
                name="confirmation_given_by_somebody_known",
            ),
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(state__in=["waiting", "confirmed"]),
                name="confirmation_one_open_per_call",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["expires_at"], name="confirmation_waiting", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.identity} → {self.tool}, for {self.principal}"
