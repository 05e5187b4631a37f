"""Let agents outside call tools: the kind of a run and its conversation, and the calls that were received."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

OPEN = Q(("ended_at", None), ("kind", "external"))


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0012_plans")]
    operations: ClassVar = [
        migrations.CreateModel(
            "ReceivedCall",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        "runs.run", django.db.models.deletion.DO_NOTHING, db_constraint=False, db_index=False,
                        related_name="received_rows",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("key", models.CharField(blank=True, max_length=64)),
                ("digest", models.CharField(max_length=64)),
                ("received_at", models.DateTimeField()),
                (
                    "answered_at",
                    models.DateTimeField(help_text="When the client was first told how it ended.", null=True),
                ),
            ],
            {"db_table": "runs_received_call"},
        ),
        migrations.AddField(
            "run", "conversation", models.CharField(blank=True, db_default="", max_length=64)
        ),
        migrations.AddField(
            "run",
            "kind",
            models.CharField(
                choices=[
                    ("task", "a task that was given to an agent of ours"),
                    ("external", "the calls of an agent outside, in one conversation"),
                ],
                db_default="task",
                default="task",
                max_length=8,
            ),
        ),
        migrations.AlterField(
            "agentversion",
            "planner",
            models.CharField(
                choices=[
                    ("openai", "openai"),
                    ("null", "null"),
                    ("external", "an agent outside, through the gateway"),
                ],
                default="openai",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            "agentversion",
            "principal_source",
            models.CharField(
                blank=True,
                choices=[
                    ("application", "asserted by a trusted application"),
                    ("staff", "the member of staff who starts the run"),
                    ("token", "the user whose token an agent outside presents"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            "run",
            models.UniqueConstraint(
                fields=("identity", "principal", "application", "conversation"), condition=OPEN,
                nulls_distinct=False, name="run_one_open_conversation",
            ),
        ),
        migrations.AddIndex(
            "receivedcall",
            models.Index(fields=["run", "digest"], condition=Q(("answered_at", None)), name="received_open"),
        ),
        migrations.AddConstraint(
            "receivedcall",
            models.UniqueConstraint(
                fields=("run", "key"), condition=Q(("key", ""), _negated=True), name="received_key_once"
            ),
        ),
    ]  # fmt: skip
