"""Let runs be undone by runs of their own, of which one is under way at a time."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0013_gateway")]
    operations: ClassVar = [
        migrations.AddField(
            "run",
            "undoes",
            models.ForeignKey(
                "runs.run", django.db.models.deletion.PROTECT, db_index=False, null=True, related_name="undos"
            ),
        ),
        migrations.AlterField(
            "run",
            "kind",
            models.CharField(
                choices=[
                    ("task", "a task that was given to an agent of ours"),
                    ("external", "the calls of an agent outside, in one conversation"),
                    ("undo", "what another run has done is undone"),
                ],
                db_default="task",
                default="task",
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            "run", models.Index(fields=["undoes"], condition=Q(("undoes__isnull", False)), name="run_by_undone")
        ),
        migrations.AddConstraint(
            "run",
            models.UniqueConstraint(
                fields=("undoes",),
                condition=Q(("ended_at", None), ("undoes__isnull", False)),
                name="run_one_open_undo",
            ),
        ),
    ]
