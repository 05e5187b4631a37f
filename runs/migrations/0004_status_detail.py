"""Keep on a run's row which budget it reached."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0003_published_versions_are_immutable")]

    operations: ClassVar = [
        migrations.AddField(
            model_name="run",
            name="status_detail",
            field=models.CharField(
                blank=True, db_default="", help_text="Which budget was reached.", max_length=48
            ),
        ),
    ]
