"""Let an agent elsewhere be a source of tools."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0003_function_sources")]
    operations: ClassVar = [
        migrations.AlterField(
            model_name="toolserver",
            name="transport",
            field=models.CharField(
                choices=[
                    ("http", "streamable HTTP"),
                    ("stdio", "a command on our own hosts"),
                    ("openapi", "an interface with an OpenAPI document"),
                    ("python", "functions of a module of this installation"),
                    ("a2a", "an agent elsewhere that speaks A2A"),
                ],
                max_length=8,
            ),
        ),
    ]
