"""Notices: what is to be told, to whom it goes, and how far each delivery has come."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from approvals.models.requests import ApprovalRequest
from approvals.querysets import DeliveryQuerySet, MailPreferenceQuerySet, NoticeChannelQuerySet
from identities.models import Application, Team, User

KIND_LENGTH = 40


def _kinds() -> ArrayField[list[str], list[str]]:
    return ArrayField(models.CharField(max_length=KIND_LENGTH), default=list)


class NoticeChannel(models.Model):
    """Where a team, or an application of it, is told. Whoever knows the address can write there: it is sealed."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "a signed webhook (Standard Webhooks)"
        SLACK = "slack", "an incoming webhook of Slack"
        TEAMS = "teams", "a workflow of Microsoft Teams that takes webhooks"

    class State(models.TextChoices):
        ACTIVE = "active"
        DISABLED = "disabled"
        REMOVED = "removed"

    sealed_fields = ("sealed_url", "sealed_secret", "sealed_former_secret")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="notice_channels")
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, blank=True, related_name="notice_channels",
        help_text="It is told of its own runs only. Empty: the team is told of all of its.",
    )  # fmt: skip
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind)
    host = models.CharField(max_length=255, help_text="Of its address, the rest of which is kept sealed.")
    sealed_url = models.TextField(blank=True, editable=False)
    sealed_secret = models.TextField(blank=True, editable=False)
    sealed_former_secret = models.TextField(blank=True, editable=False)
    former_until = models.DateTimeField(null=True, blank=True, editable=False)
    kinds = _kinds()
    allow_private = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE)
    disabled_because = models.CharField(max_length=48, blank=True)
    failures = models.PositiveIntegerField(
        default=0, help_text="Attempts without a success since the last one."
    )
    failing_since = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = NoticeChannelQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "name"], condition=~Q(state="removed"), name="notice_channel_once_per_team"
            ),
            models.CheckConstraint(
                condition=Q(state="removed", sealed_url="", sealed_secret="", sealed_former_secret="")
                | ~Q(state="removed") & ~Q(sealed_url="") & (Q(kind="webhook") ^ Q(sealed_secret="")),
                name="notice_channel_webhook_is_signed",
            ),
            models.CheckConstraint(
                condition=Q(application=None) | Q(kind="webhook"),
                name="notice_channel_of_application_is_signed",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class MailPreference(models.Model):
    """Where and of what somebody wants to be told by e-mail; without a row they are not."""

    user = models.OneToOneField(
        User, on_delete=models.CASCADE, primary_key=True, related_name="mail_preference"
    )
    address = models.EmailField()
    kinds = _kinds()

    objects = MailPreferenceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"e-mail to {self.user}"


class Notice(models.Model):
    """Something that happened, written in the transaction in which it did. ``facts`` are codes and amounts only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    key = models.CharField(max_length=160, unique=True, help_text="What happened: it is told once.")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+", db_index=False)
    application = models.ForeignKey(
        Application, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    request = models.ForeignKey(ApprovalRequest, on_delete=models.CASCADE, null=True, related_name="notices")
    kind = models.CharField(max_length=KIND_LENGTH)
    subject = models.UUIDField(null=True, help_text="Whose page tells more.")
    facts = models.JSONField(default=dict)
    at = models.DateTimeField()
    spread_at = models.DateTimeField(null=True, help_text="When its deliveries were made out.")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["at"], name="notice_unspread", condition=Q(spread_at=None)),
            models.Index(fields=["at"], name="notice_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}"


class NoticeDelivery(models.Model):
    """One message to a channel, or one line of a letter to a person. Its id is the message's, whenever it is sent."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        DEAD = "dead"
        DROPPED = "dropped"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    notice = models.ForeignKey(
        Notice, on_delete=models.CASCADE, null=True, related_name="deliveries", help_text="None: a test."
    )
    channel = models.ForeignKey(NoticeChannel, on_delete=models.PROTECT, null=True, related_name="deliveries")
    person = models.ForeignKey(User, on_delete=models.CASCADE, null=True, db_index=False, related_name="+")
    letter = models.UUIDField(
        null=True, help_text="The e-mail that it went out with, the same whenever it is sent."
    )
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    last_result = models.CharField(
        max_length=48, blank=True, help_text="A status, or a word for what went wrong."
    )
    ended_at = models.DateTimeField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "notice deliveries"
        ordering: ClassVar = ["-created_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["notice", "channel", "person"],
                name="notice_delivery_once",
                nulls_distinct=False,
                condition=Q(notice__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(channel__isnull=False, person=None) | Q(channel=None, person__isnull=False),
                name="notice_delivery_to_one",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="notice_delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["person", "-created_at"], name="notice_delivery_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.notice.kind if self.notice else 'a test'} to {self.channel or self.person}"
