"""Schedules: runs that begin by the clock."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from agentops.identifiers import new_id
from identities.models import AgentIdentity, ApiKey, Application, Principal, Team, User
from runs.models.runs import Priority, Run, RunMode
from runs.models.versions import AgentVersion
from runs.querysets import ScheduleQuerySet


class Schedule(models.Model):
    """When an agent is given which task, in whose name. It is no right: every start is checked as any other."""

    class State(models.TextChoices):
        ACTIVE = "active"
        PAUSED = "paused"
        ENDED = "ended"

    class CatchUp(models.TextChoices):
        """What becomes of the times that went by while nothing could be started."""

        NONE = "none", "Leave them out"
        LAST = "last", "Start once, for the last of them"
        ALL = "all", "Start for each of them"

    class Overlap(models.TextChoices):
        """What happens at a time at which the run of an earlier one still goes."""

        SKIP = "skip", "Leave this time out"
        WAIT = "wait", "Start once it has ended"
        ALLOW = "allow", "Start beside it"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="schedules")
    identity = models.ForeignKey(AgentIdentity, on_delete=models.PROTECT, related_name="schedules")
    agent_version = models.ForeignKey(
        AgentVersion, on_delete=models.PROTECT, null=True, related_name="+",
        help_text="Only this version is started; empty: whichever is published.",
    )  # fmt: skip
    name = models.CharField(max_length=80)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="schedules")
    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True, related_name="+")
    credential = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    principal = models.ForeignKey(Principal, on_delete=models.PROTECT, related_name="+")
    message = models.TextField()
    task = models.CharField(max_length=64, blank=True, default="", db_default="")
    mode = models.CharField(max_length=8, choices=RunMode, default=RunMode.ACT)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL)
    cron = models.CharField(max_length=100)
    timezone = models.CharField(max_length=64, default="UTC")
    catch_up = models.CharField(max_length=4, choices=CatchUp, default=CatchUp.LAST)
    overlap = models.CharField(max_length=5, choices=Overlap, default=Overlap.SKIP)
    spread_s = models.PositiveIntegerField(
        default=0, help_text="Each start is put off by up to so many seconds, each time by others."
    )
    state = models.CharField(max_length=6, choices=State, default=State.ACTIVE)
    paused_for = models.CharField(max_length=64, blank=True, help_text="Why it rests, as a code.")
    due_at = models.DateTimeField(help_text="The next time of the cron expression.")
    starts_at = models.DateTimeField(help_text="The same, put off.")
    refusals = models.PositiveSmallIntegerField(default=0, help_text="Starts refused in a row.")
    last_run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["identity", "owner", "principal", "name"],
                condition=~Q(state="ended"),
                name="schedule_name_once",
            ),
            models.CheckConstraint(condition=Q(spread_s__lte=3_600), name="schedule_spread_within_an_hour"),
            models.CheckConstraint(
                condition=Q(starts_at__gte=models.F("due_at")), name="schedule_puts_off_only"
            ),
            models.CheckConstraint(
                condition=Q(state="paused") | Q(paused_for=""), name="schedule_rests_for_a_reason"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["starts_at"], condition=Q(state="active"), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return self.name
