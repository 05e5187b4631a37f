"""Who is out of office, from when until when, and who decides meanwhile what they could decide."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q

from agentops.identifiers import new_id
from approvals.querysets import AbsenceQuerySet
from identities.models import Team, User
from tools.models import Tool

LONGEST = timedelta(days=30)


class Absence(models.Model):
    """Somebody's deputy for a time: for all that they may decide, or in one team, for one tool, as one of a group.

    A change ends the row and adds another.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    absent = models.ForeignKey(User, on_delete=models.PROTECT, related_name="absences")
    deputy = models.ForeignKey(User, on_delete=models.PROTECT, related_name="deputyships")
    team = models.ForeignKey(
        Team,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: every team.",
    )
    tool = models.ForeignKey(
        Tool,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Empty: every tool.",
    )
    # A group that is gone has no members: nobody stands in for one.
    group = models.ForeignKey(
        Group, on_delete=models.DO_NOTHING, db_constraint=False, null=True, blank=True, related_name="+",
        help_text="Only what the absent may decide as one of this group.",
    )  # fmt: skip
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    declared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", editable=False)
    declared_at = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(null=True, editable=False, help_text="When it was taken back.")
    ended_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, related_name="+", editable=False,
        help_text="Empty though it was taken back: one of the two accounts was closed.",
    )  # fmt: skip

    # In which the absent stand in for others, as ``approvals.deputies.read_absences`` has found them.
    behind: list[Absence]

    objects = AbsenceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-begins_at"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(absent=F("deputy")), name="absence_deputy_is_another"),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("begins_at"), ends_at__lte=F("begins_at") + LONGEST),
                name="absence_is_bounded",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["deputy", "ends_at"], name="absence_standing", condition=Q(ended_at=None))
        ]

    def __str__(self) -> str:
        return f"{self.deputy}, deputy of {self.absent}"
