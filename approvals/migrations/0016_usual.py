"""What was approved for whom, by an index; and what was passed on because somebody rests."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("approvals", "0015_waiting_lists"),
        ("tools", "0019_confirmation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("amount__isnull", False), ("state", "approved")),
                fields=["tool", "principal", "-decided_at"],
                name="approval_amounts",
            ),
        ),
        migrations.AddField(
            model_name="reviewcapacity",
            name="full_since",
            field=models.DateTimeField(editable=False, help_text="Since when runs have been held back, as far as that was told.", null=True),
        ),
        migrations.CreateModel(
            name="PassedRequest",
            fields=[
                ("pk", models.CompositePrimaryKey("request_id", "person_id", blank=True, editable=False, primary_key=True, serialize=False)),
                ("to", django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None)),
                ("until", models.DateTimeField(help_text="Until when they rest.")),
                ("at", models.DateTimeField()),
                ("person", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("request", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="passed_on", to="approvals.approvalrequest")),
            ],
            options={
                "ordering": ["at"],
                "indexes": [models.Index(condition=models.Q(("to", [])), fields=["until"], name="passed_to_nobody")],
            },
        ),
    ]
