"""Find what is due by priority and team, so that each team has its turn, and count what is being driven of each."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0004_redaction")]
    operations: ClassVar = [
        migrations.RemoveIndex(model_name="run", name="run_due"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                "priority", "team", Coalesce("lease_until", "wake_at"),
                condition=models.Q(("ended_at", None)), name="run_due_in_turn",
            ),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["team"], condition=models.Q(("ended_at", None), ("lease_until__isnull", False)),
                name="run_leased",
            ),
        ),
    ]
