"""Waivers name the tool version that was signed; those signed before name none, and have to be signed again."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0002_tool_versions_are_immutable")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="toolgrant",
            name="waived_version_digest",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
            preserve_default=False,
        )
    ]
