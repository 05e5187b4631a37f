"""Drop three indexes of the idempotency ledger that every effect paid for and no query used."""

import django.db.models.deletion
from django.db import migrations, models

# Django makes it beside the primary key of a text, for LIKE.
DROP = "DROP INDEX IF EXISTS tools_effectrecord_key_17daf271_like"
CREATE = "CREATE INDEX tools_effectrecord_key_17daf271_like ON tools_effectrecord (key varchar_pattern_ops)"


class Migration(migrations.Migration):
    dependencies = [("tools", "0004_grants_are_immutable")]

    operations = [
        migrations.AlterField(
            model_name="effectrecord",
            name="identity",
            field=models.ForeignKey(
                db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to="identities.agentidentity"
            ),
        ),
        migrations.AlterField(
            model_name="effectrecord",
            name="tool_version",
            field=models.ForeignKey(
                db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, to="tools.toolversion"
            ),
        ),
        migrations.RunSQL(DROP, CREATE),
    ]
