"""Deciding about many requests at once: a batch and its items, what people opened, and how much they have to."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from approvals.models.requests import ApprovalDecision, ApprovalRequest
from approvals.querysets import ApprovalBatchQuerySet, SamplingRuleQuerySet
from identities.models import Team, User
from tools.models import Effect, Tool


class ApprovalBatch(models.Model):
    """Requests that one person decides about together. Its id is its ledger stream."""

    class State(models.TextChoices):
        DRAFT = "draft"
        CONFIRMED = "confirmed"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="batches")
    verdict = models.CharField(max_length=8, choices=[("approve", "Approve"), ("deny", "Deny")])
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    channel = models.CharField(max_length=10, choices=ApprovalDecision.Channel, blank=True)
    digest = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of the list that the last check left ready; then of what was confirmed.",
    )
    reason = models.TextField(blank=True, help_text="Kept until all are decided; then each entry holds it.")
    created_at = models.DateTimeField()
    checked_at = models.DateTimeField(
        null=True, help_text="When its draft was last looked at, request by request."
    )
    sums = models.JSONField(default=list, help_text="What all that is ready moves: amount and currency.")
    stood_in = models.JSONField(default=dict, help_text="How many are ready for the seat of each absence.")
    confirmed_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    objects = ApprovalBatchQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        verbose_name_plural = "approval batches"
        indexes: ClassVar = [
            models.Index(fields=["confirmed_at"], name="batch_unfinished", condition=Q(state="confirmed"))
        ]

    def __str__(self) -> str:
        return f"batch {self.id} of {self.person}"


class BatchItem(models.Model):
    """One request of a batch, as it was when the batch was put together, and what became of it."""

    class State(models.TextChoices):
        READY = "ready"
        EXCLUDED = "excluded"
        LEFT_OUT = "left_out"
        DECIDED = "decided"

    class Opening(models.TextChoices):
        FREE = "", "with the others, once the sample is opened"
        DRAWN = "drawn", "drawn: it is opened by itself"
        EACH = "each", "no sample is enough: it is opened by itself"

    batch = models.ForeignKey(ApprovalBatch, on_delete=models.PROTECT, related_name="items", db_index=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="batch_items")
    digest = models.CharField(max_length=64, help_text="Of the call that the person was shown.")
    group = models.CharField(max_length=64, blank=True, help_text="Names the tool and the template.")
    opening = models.CharField(max_length=5, choices=Opening, default=Opening.FREE, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.READY)
    code = models.CharField(max_length=48, blank=True, help_text="Why it is excluded.")
    detail = models.TextField(blank=True)
    outcome = models.CharField(max_length=16, blank=True, help_text="What the request is since.")
    # Of what is ready only, and of the last check: what is unusual comes first.
    place = models.PositiveIntegerField(null=True, help_text="Among those of its group.")
    oddities = models.JSONField(
        default=list, help_text="What is unusual: code, leaf, words, weight; no values."
    )

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "request"], name="batch_holds_a_request_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["batch", "group", "place"], name="batch_places", condition=Q(state="ready"))
        ]

    def __str__(self) -> str:
        return f"{self.request_id} in batch {self.batch_id}"


class BatchGroup(models.Model):
    """What the ready requests of one group have in common, as the last check of a draft found it; gone once decided.

    Which leaves are the same in all, never their values: those stay where they can be erased.
    """

    batch = models.ForeignKey(ApprovalBatch, on_delete=models.PROTECT, related_name="groups", db_index=False)
    name = models.CharField(max_length=64)
    number = models.PositiveIntegerField(help_text="The larger groups first.")
    tool = models.ForeignKey(Tool, on_delete=models.PROTECT, related_name="+", db_index=False)
    effect = models.CharField(max_length=16, choices=Effect)
    count = models.PositiveIntegerField()
    odd = models.PositiveIntegerField(help_text="So many of them are unusual.")
    sums = models.JSONField(default=list)
    constant = models.JSONField(default=list)
    varying = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_group_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.count} for {self.tool_id} in batch {self.batch_id}"


class OpenedRequest(models.Model):
    """That somebody has looked at one request by itself, as it was then."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="opened")
    digest = models.CharField(max_length=64)
    opened_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "request", "digest"], name="opened_once")
        ]

    def __str__(self) -> str:
        return f"{self.request_id} opened by {self.person_id}"


class SamplingRule(models.Model):
    """How many of a group of harmless requests have to be opened one by one before the rest is approved together.

    Without a rule that fits all of them, each has to be. A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="sampling_rules")
    effect = models.CharField(max_length=16, choices=Effect)
    max_amount = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, help_text="Each moves less than this, or nothing."
    )
    currency = models.CharField(max_length=8, blank=True)
    at_least = models.PositiveSmallIntegerField(help_text="So many are opened, whatever the group's size.")
    percent = models.PositiveSmallIntegerField(help_text="Or this share of the group, whichever is more.")
    seed = models.CharField(max_length=32, help_text="Which ones follows from this and their ids alone.")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, editable=False)

    objects = SamplingRuleQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["team", "effect"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "effect"], condition=Q(ended_at=None), name="sampling_rule_one_per_effect"
            ),
            models.CheckConstraint(
                condition=Q(max_amount=None, currency="") | (Q(max_amount__gt=0) & ~Q(currency="")),
                name="sampling_amount_has_currency",
            ),
            models.CheckConstraint(
                condition=Q(at_least__gte=1, percent__lte=100), name="sampling_opens_something"
            ),
        ]

    def __str__(self) -> str:
        return f"sampling of {self.effect} calls of {self.team}"


class SavedView(models.Model):
    """How somebody likes to see the inbox: a query under a name."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="inbox_views", db_index=False)
    name = models.CharField(max_length=40)
    query = models.CharField(max_length=400, blank=True)
    is_default = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "name"], name="inbox_view_name_once"),
            models.UniqueConstraint(
                fields=["person"], condition=Q(is_default=True), name="inbox_view_one_default"
            ),
        ]

    def __str__(self) -> str:
        return self.name
