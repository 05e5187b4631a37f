"""Let versions declare types of tasks, runs be of one, and each be judged by its checks once it has ended.

What versions take is told by task from now on: what was looked at and found so far is of runs of none. The release
before reads and writes the same rows meanwhile, those of no task.
"""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

import runs.models.versions

# The ORM does not change a primary key in its place.
BY_TASK = """
ALTER TABLE runs_version_look ADD COLUMN task varchar(64) NOT NULL DEFAULT '';
ALTER TABLE runs_version_look DROP CONSTRAINT runs_version_look_pkey, ADD PRIMARY KEY (version_id, task);
"""
OF_ALL = """
DELETE FROM runs_version_look WHERE task <> '';
ALTER TABLE runs_version_look DROP CONSTRAINT runs_version_look_pkey, ADD PRIMARY KEY (version_id);
ALTER TABLE runs_version_look DROP COLUMN task;
"""


def _name_of_task() -> models.CharField[str, str]:
    return models.CharField(blank=True, db_default="", default="", max_length=64)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0012_forks")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="agentversion",
            name="tasks",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="Types of tasks that its runs can be started with, and by which checks each is fulfilled.",
                validators=[runs.models.versions.check_tasks],
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="task",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="The type of task, of those that its version declares, by whose checks it is judged.",
                max_length=64,
            ),
        ),
        migrations.AddField(model_name="schedule", name="task", field=_name_of_task()),
        migrations.CreateModel(
            name="Fulfilment",
            fields=[
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="fulfilment",
                        serialize=False,
                        to="runs.run",
                    ),
                ),
                ("task", models.CharField(max_length=64)),
                ("fulfilled", models.BooleanField(null=True)),
                ("why_unknown", models.CharField(blank=True, db_default="", default="", max_length=80)),
                ("checks", models.JSONField(default=list)),
                (
                    "rules",
                    models.PositiveSmallIntegerField(help_text="By which rules it was judged.", null=True),
                ),
                ("judged_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "runs_fulfilment", "default_permissions": ()},
        ),
        migrations.AddIndex(
            model_name="fulfilment",
            index=models.Index(
                condition=models.Q(("judged_at", None)), fields=["run"], name="fulfilment_pending"
            ),
        ),
        migrations.AddConstraint(
            model_name="fulfilment",
            constraint=models.CheckConstraint(
                condition=models.Q(("fulfilled", None), ("judged_at__isnull", False), _connector="OR"),
                name="fulfilment_found_when_judged",
            ),
        ),
        migrations.RemoveIndex(model_name="run", name="run_completed_by_version"),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                condition=models.Q(("state", "completed")),
                fields=["agent_version", "task", "-id"],
                name="run_completed_by_task",
            ),
        ),
        migrations.RemoveConstraint(model_name="regression", name="regression_found_once"),
        migrations.AddField(model_name="regression", name="task", field=_name_of_task()),
        migrations.AddConstraint(
            model_name="regression",
            constraint=models.UniqueConstraint(
                fields=["version", "task", "unit"], name="regression_found_once"
            ),
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(BY_TASK, OF_ALL)],
            state_operations=[
                migrations.DeleteModel(name="VersionLook"),
                migrations.CreateModel(
                    name="VersionLook",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "version_id", "task", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "version",
                            models.ForeignKey(
                                db_index=False,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="looks",
                                to="runs.agentversion",
                            ),
                        ),
                        ("task", _name_of_task()),
                        ("runs", models.PositiveIntegerField(db_default=0, default=0)),
                    ],
                    options={"db_table": "runs_version_look", "default_permissions": ()},
                ),
            ],
        ),
    ]
