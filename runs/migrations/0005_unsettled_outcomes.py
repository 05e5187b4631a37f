"""Find the runs that left a call of unknown outcome, however many have ended."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0004_status_detail")]

    operations: ClassVar = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(
                fields=["team"],
                name="run_unsettled",
                condition=models.Q(required_actions__contains=[{"type": "outcome"}]),
            ),
        ),
    ]
