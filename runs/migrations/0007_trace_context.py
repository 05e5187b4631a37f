"""Keep the flags and the tracestate of a run's caller beside the trace id."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0006_repeat_limit_bounds")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="run",
            name="trace_flags",
            field=models.CharField(db_default="01", max_length=2),
        ),
        migrations.AddField(
            model_name="run",
            name="trace_state",
            field=models.CharField(blank=True, db_default="", max_length=512),
        ),
    ]
