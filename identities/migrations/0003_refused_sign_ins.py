"""Count refused sign-ins, so that an attacker cannot fill the ledger."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0002_erased_principals")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="RefusedSignIns",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "address",
                    models.CharField(max_length=64, help_text="A keyed digest: an address is personal."),
                ),
                ("told_at", models.DateTimeField(db_index=True)),
                ("untold", models.PositiveIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "address"), name="refused_sign_ins_once_per_address"
                    )
                ]
            },
        ),
    ]
