"""Let people step up over the API with a security key: what it was asked is kept with the API key that asked."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0013_key_issuers")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="apikey",
            name="ceremony",
            field=models.JSONField(editable=False, help_text="What its person's security key was asked and has not answered yet.", null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="signed",
            field=models.JSONField(editable=False, help_text="What the security key signed last, until it is used or the window ends.", null=True),
        ),
    ]
