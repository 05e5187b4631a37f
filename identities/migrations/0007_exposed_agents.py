"""Agents that agents of others may find."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0006_hops_by_key_set")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="agentidentity",
            name="exposed",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Its card is published, and applications that may start it reach it over A2A.",
            ),
        ),
    ]
