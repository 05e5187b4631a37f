"""Keep the moves of breakers, so that people see when one opened, why, and how often."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import agentops.identifiers


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0016_veto_windows")]
    operations: ClassVar = [
        migrations.CreateModel(
            "BreakerTransition",
            [
                ("id", models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("before", models.CharField(max_length=16)),
                ("after", models.CharField(max_length=16)),
                ("reason", models.CharField(max_length=48)),
                ("retry_at", models.DateTimeField(null=True)),
                (
                    "tool",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="breaker_transitions",
                        to="tools.tool",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "breakertransition",
            models.UniqueConstraint(fields=["tool", "at", "after"], name="breaker_transition_once"),
        ),
        migrations.AddIndex(
            "breakertransition", models.Index(fields=["at"], name="breaker_transition_by_time")
        ),
    ]
