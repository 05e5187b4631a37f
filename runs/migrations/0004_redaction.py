"""Let versions say what is taken out of their prompts, and have a version that takes less out need a second person."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.db import migrations, models

import runs.models.versions

GUARD = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0003_context_policy")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="agentversion",
            name="redact",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                help_text="What is taken out of prompts: card, email, iban, and sensitive for what tools call so.",
                validators=[runs.models.versions.check_redacted],
            ),
        ),
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
    ]
