"""Keep campaigns of recertification, and what became of each grant in them."""

from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from agentops.identifiers import new_id

DECISIONS = [
    ("kept", "Kept"),
    ("shrunk", "Shrunk"),
    ("revoked", "Revoked"),
    ("expired", "nobody decided, so it was taken away"),
    ("gone", "it had been taken away before"),
]


def _person(*, null: bool = False) -> models.ForeignKey[Any, Any]:  # Any: generic in the stubs only
    protect = django.db.models.deletion.PROTECT
    return models.ForeignKey(settings.AUTH_USER_MODEL, protect, related_name="+", null=null)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0010_sponsors"),
        ("runs", "0009_bounds"),
        ("tools", "0006_bounds"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="Campaign",
            fields=[
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=120)),
                (
                    "unused_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Only grants that were unused for so many days; empty: all.",
                        null=True,
                    ),
                ),
                ("due_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=8
                    ),
                ),
                ("opened_at", models.DateTimeField(auto_now_add=True)),
                ("closed_at", models.DateTimeField(editable=False, null=True)),
                ("opened_by", _person()),
                ("reviewers", models.ManyToManyField(related_name="+", to=settings.AUTH_USER_MODEL)),
                (
                    "team",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="campaigns",
                        to="identities.team",
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(state="open", closed_at=None)
                        | Q(state="closed", closed_at__isnull=False),
                        name="campaign_closed_at_a_time",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CampaignItem",
            fields=[
                ("id", models.UUIDField(default=new_id, editable=False, primary_key=True, serialize=False)),
                ("decision", models.CharField(blank=True, choices=DECISIONS, max_length=8)),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("decided_at", models.DateTimeField(null=True)),
                ("decided_by", _person(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="runs.campaign",
                    ),
                ),
                (
                    "grant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tools.toolgrant",
                    ),
                ),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=["campaign", "grant"], name="campaign_item_once"),
                    models.CheckConstraint(
                        condition=Q(decision="", decided_by=None, decided_at=None)
                        | Q(decision__in=["expired", "gone"], decided_by=None, decided_at__isnull=False)
                        | Q(
                            decision__in=["kept", "shrunk", "revoked"],
                            decided_by__isnull=False,
                            decided_at__isnull=False,
                        ),
                        name="campaign_item_decided_by_somebody",
                    ),
                ],
            },
        ),
    ]
