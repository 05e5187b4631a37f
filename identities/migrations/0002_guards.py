"""Hold in the database whose signature a change of authority takes, and what of identities is final."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.db import migrations

GUARDS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0001_initial")]
    # A database that is older than these has them, by another name.
    replaces: ClassVar = [("identities", "0014_step_up_by_key")]
    operations: ClassVar = [migrations.RunSQL(GUARDS)]
