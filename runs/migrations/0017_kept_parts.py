"""Pictures, sounds and files of results, beside the ledger, until an agent outside has had time to fetch them."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0016_received_by_delegation")]
    operations: ClassVar = [
        migrations.CreateModel(
            "KeptPart",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "run_id", "digest", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        "runs.run", django.db.models.deletion.DO_NOTHING, db_constraint=False, db_index=False,
                        related_name="part_rows",
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("data", models.BinaryField()),
                ("kept_at", models.DateTimeField(db_default=Now())),
            ],
            {
                "db_table": "runs_kept_part",
                "indexes": [models.Index(fields=["kept_at"], name="part_age")],
            },
        ),
    ]  # fmt: skip
