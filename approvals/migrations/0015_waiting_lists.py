"""Indexes of what has waited longest, and of what was decided last."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("approvals", "0014_oversight"),
        ("identities", "0013_key_issuers"),
        ("tools", "0019_confirmation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(condition=models.Q(("state", "waiting")), fields=["created_at"], name="approval_oldest"),
        ),
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(condition=models.Q(("state", "waiting"), _negated=True), fields=["-decided_at"], name="approval_latest"),
        ),
    ]
