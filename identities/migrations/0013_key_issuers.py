"""Keep who issued an API key: until now only the ledger knew, and it is asked whenever people are."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

BACKFILL = """
UPDATE identities_apikey k SET issued_by_id = e.actor FROM ledger_entry e
    WHERE e.kind = 'key.issued' AND e.facts ->> 'key' = k.id::text AND EXISTS (SELECT FROM identities_user u WHERE u.id = e.actor);
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when tables are altered
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0012_single_sign_on"), ("ledger", "0001_ledger")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="apikey",
            name="issued_by",
            field=models.ForeignKey(db_index=False, help_text="Who made it: not somebody who approves what is started with it.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
    ]
