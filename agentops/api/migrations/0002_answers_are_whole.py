"""Require status and body: act and answer are committed together, so a key without an answer is never left."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

DROP_EMPTY = "DELETE FROM api_idempotentanswer WHERE status IS NULL OR body IS NULL"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("api", "0001_initial")]
    operations: ClassVar = [
        migrations.RunSQL(DROP_EMPTY, migrations.RunSQL.noop),
        migrations.AlterField("idempotentanswer", "status", models.PositiveSmallIntegerField()),
        migrations.AlterField("idempotentanswer", "body", models.JSONField()),
    ]
