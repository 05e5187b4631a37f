"""Kill switches: for everything, an end user, a model provider."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from agentops.identifiers import new_id

PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0004_recorded_accounts")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="KillSwitch",
            fields=[
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("everything", "Everything"),
                            ("principal", "end user"),
                            ("provider", "model provider"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "target",
                    models.CharField(
                        blank=True,
                        help_text="The end user's id here, or the provider's name; empty for everything.",
                        max_length=64,
                    ),
                ),
                ("thrown_at", models.DateTimeField(auto_now_add=True)),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "lifted_by",
                    models.ForeignKey(null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                (
                    "team",
                    models.ForeignKey(
                        help_text="The end user's team.", null=True, on_delete=PROTECT, related_name="+",
                        to="identities.team",
                    ),
                ),
                ("thrown_by", models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "verbose_name_plural": "kill switches",
                "ordering": ["-id"],
                "permissions": [("throw_killswitch", "Can throw and lift kill switches")],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=Q(lifted_at=None), fields=("scope", "target"), name="kill_switch_thrown_once"
                    ),
                    models.CheckConstraint(
                        condition=Q(scope="everything", target="")
                        | Q(scope__in=["principal", "provider"]) & ~Q(target=""),
                        name="kill_switch_names_its_target",
                    ),
                    models.CheckConstraint(
                        condition=Q(lifted_at=None, lifted_by=None)
                        | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                        name="kill_switch_lifted_by_somebody",
                    ),
                ],
            },
        ),
    ]
