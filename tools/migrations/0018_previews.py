"""Let tools say how people are shown what a call changes; to show something else, or nothing, takes two people."""

from __future__ import annotations

from importlib import import_module
from typing import ClassVar

from django.db import migrations, models

before = import_module("tools.migrations.0015_own_concurrency")
UNSEEN = "\n        OR (before.preview IS NOT NULL AND after.preview IS DISTINCT FROM before.preview)"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0017_breaker_transitions")]
    operations: ClassVar = [
        migrations.AddField(
            "toolversion",
            "preview",
            models.JSONField(
                blank=True,
                null=True,
                help_text="By which tool people are shown what a call changes, and as of which state. None: by none.",
            ),
        ),
        migrations.RunSQL(
            before.COMPARED.format(also=before.RESOLVED + before.MORE + UNSEEN),
            before.COMPARED.format(also=before.RESOLVED + before.MORE),
        ),
    ]
