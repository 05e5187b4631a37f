"""Hold in the database what decisions take: enough people, none of whom has a part in what they decide."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.db import migrations

GUARDS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0001_initial")]
    # A database that is older than these has them, by another name.
    replaces: ClassVar = [("approvals", "0016_usual")]
    operations: ClassVar = [migrations.RunSQL(GUARDS)]
