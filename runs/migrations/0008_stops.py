"""Keep what was stopped, by whom and when."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from agentops.identifiers import new_id

SCOPES = [
    ("run", "Run"),
    ("agent", "Agent"),
    ("tool", "Tool"),
    ("application", "Application"),
    ("principal", "end user"),
    ("credential", "API key"),
    ("provider", "model provider"),
    ("everything", "Everything"),
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0005_kill_switches"),
        ("runs", "0007_trace_context"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Stop",
            fields=[
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                ("scope", models.CharField(choices=SCOPES, max_length=16)),
                ("target", models.CharField(blank=True, max_length=64)),
                ("is_drill", models.BooleanField(help_text="Everything was done but the effect.")),
                ("stopped_at", models.DateTimeField()),
                (
                    "stopped_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "team",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="identities.team",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(scope="everything", target="")
                        | ~Q(scope="everything") & ~Q(target=""),
                        name="stop_names_its_target",
                    )
                ],
            },
        ),
    ]
