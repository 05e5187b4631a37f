"""Calls that an agent outside has made: by which of them a repeated one is known again."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from runs.models.runs import Run


class ReceivedCall(models.Model):
    """One call of a conversation, by its number in the run. What it says is content of the run's stream.

    ``key`` is the digest of the name that the client gave the call, ``digest`` that of tool and arguments.
    """

    pk = models.CompositePrimaryKey("run_id", "number")
    run = models.ForeignKey(
        Run, on_delete=models.DO_NOTHING, db_constraint=False, related_name="received_rows", db_index=False
    )
    number = models.PositiveIntegerField()
    key = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)
    received_at = models.DateTimeField()
    delegation_id = models.UUIDField(
        null=True,
        help_text="The hop of authority by which it came: once taken back, the call goes out no more.",
    )
    answered_at = models.DateTimeField(null=True, help_text="When the client was first told how it ended.")

    class Meta:
        db_table = "runs_received_call"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "key"], condition=~Q(key=""), name="received_key_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["run", "digest"], name="received_open", condition=Q(answered_at=None))
        ]

    def __str__(self) -> str:
        return f"call {self.number} of {self.run_id}"
