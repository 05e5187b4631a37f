"""An index of an agent's newest runs, in place of one of all of them."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0013_key_issuers"),
        ("runs", "0022_delegation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="run",
            name="identity",
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="runs", to="identities.agentidentity"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["identity", "-id"], name="run_by_identity"),
        ),
    ]
