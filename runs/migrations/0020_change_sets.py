"""Let runs propose: what they stage is a change set, whose items people review, and another run carries it out."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

PROTECT = django.db.models.deletion.PROTECT
STATES = [
    ("draft", "the agent is at work on it"),
    ("offered", "waits for review"),
    ("applied", "accepted, whole or in part, and carried out by a run of its own"),
    ("declined", "nothing of it was accepted"),
    ("superseded", "sent back: a later version takes its place"),
    ("voided", "its run has ended before it was reviewed"),
]


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("approvals", "0010_batches"),
        ("identities", "0012_single_sign_on"),
        ("runs", "0019_completed_by_version"),
        ("tools", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations: ClassVar = [
        migrations.AlterField(
            "run",
            "kind",
            models.CharField(
                choices=[
                    ("task", "a task that was given to an agent of ours"),
                    ("external", "the calls of an agent outside, in one conversation"),
                    ("undo", "what another run has done is undone"),
                    ("apply", "what another run has proposed is carried out"),
                ],
                db_default="task",
                default="task",
                max_length=8,
            ),
        ),
        migrations.AddField(
            "run",
            "mode",
            models.CharField(
                choices=[
                    ("act", "what it decides is carried out as it goes"),
                    ("propose", "what has an effect is staged, and people review all of it at the end"),
                ],
                db_default="act",
                default="act",
                max_length=8,
            ),
        ),
        migrations.AddField(
            "run",
            "applies",
            models.ForeignKey("runs.run", PROTECT, db_index=False, null=True, related_name="+"),
        ),
        migrations.CreateModel(
            "ChangeSet",
            [
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                (
                    "version",
                    models.PositiveSmallIntegerField(
                        help_text="The first is 1; each that is sent back has a next."
                    ),
                ),
                ("state", models.CharField(choices=STATES, default="draft", max_length=12)),
                ("size", models.PositiveSmallIntegerField(default=0, help_text="How many items it has.")),
                ("worst_effect", models.CharField(blank=True, max_length=16)),
                (
                    "digest",
                    models.CharField(
                        blank=True, help_text="Of all items, as they were offered.", max_length=64
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("offered_at", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("run", models.ForeignKey("runs.run", PROTECT, related_name="change_sets")),
                ("team", models.ForeignKey("identities.team", PROTECT, db_index=False, related_name="+")),
                (
                    "identity",
                    models.ForeignKey(
                        "identities.agentidentity", PROTECT, db_index=False, related_name="+"
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL, PROTECT, db_index=False, null=True, related_name="+"
                    ),
                ),
            ],
            {
                "ordering": ["offered_at", "id"],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("run", "version"), name="change_set_version"),
                    models.UniqueConstraint(
                        fields=("run",),
                        condition=Q(("state__in", ["draft", "offered"])),
                        name="change_set_one_open",
                    ),
                ],
                "indexes": [
                    models.Index(
                        fields=["team", "offered_at"],
                        condition=Q(("state", "offered")),
                        name="change_set_queue",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "ChangeItem",
            [
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "change_set_id",
                        "number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "change_set",
                    models.ForeignKey("runs.changeset", PROTECT, db_index=False, related_name="item_rows"),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("step", models.PositiveIntegerField()),
                ("call", models.PositiveSmallIntegerField()),
                ("seq", models.PositiveIntegerField()),
                ("effect", models.CharField(max_length=16)),
                (
                    "depends_on",
                    models.JSONField(
                        default=list, help_text="The numbers of the items that have to come before."
                    ),
                ),
                (
                    "targets",
                    models.JSONField(default=list, help_text="Keyed digests of what it is about."),
                ),
                ("tool", models.ForeignKey("tools.tool", PROTECT, db_index=False, related_name="+")),
                ("request", models.OneToOneField("approvals.approvalrequest", PROTECT, related_name="+")),
            ],
            {"db_table": "runs_change_item", "ordering": ["number"]},
        ),
    ]
