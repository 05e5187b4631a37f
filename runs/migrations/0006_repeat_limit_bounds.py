"""Keep loop detection within what the engine can see."""

from __future__ import annotations

from typing import ClassVar

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0005_unsettled_outcomes")]

    operations: ClassVar = [
        migrations.AlterField(
            model_name="agentversion",
            name="repeat_limit",
            field=models.PositiveSmallIntegerField(
                default=3,
                validators=[
                    django.core.validators.MinValueValidator(2),
                    django.core.validators.MaxValueValidator(24),
                ],
            ),
        ),
    ]
