"""Hold what the services do: no seat of somebody who stands in for a part, and no decision of an auditor."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.db import migrations

GUARDS = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0003_kept_checks")]
    operations: ClassVar = [migrations.RunSQL(GUARDS)]
