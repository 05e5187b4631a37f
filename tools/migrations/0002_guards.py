"""Hold in the database what of tools, grants and tables is final or takes two people; lay out the hot tables."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.db import migrations

GUARDS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0001_initial")]
    # A database that is older than these has them, by another name.
    replaces: ClassVar = [("tools", "0019_confirmation")]
    operations: ClassVar = [migrations.RunSQL(GUARDS)]
