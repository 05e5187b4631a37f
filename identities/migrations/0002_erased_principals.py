"""Say of an end user when a pseudonym took the subject's place."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0001_initial")]
    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="principal", options={"ordering": ["-id"], "verbose_name": "end user"}
        ),
        migrations.AddField(
            model_name="principal",
            name="erased_at",
            field=models.DateTimeField(null=True, help_text="When a pseudonym took the subject's place."),
        ),
    ]
