"""Leave room on the pages of rows that are updated twice per step, so that updates touch no index."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

SETTINGS = """
ALTER TABLE runs_run SET (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE runs_step SET (fillfactor = 70);
ALTER TABLE runs_tool_call SET (fillfactor = 70);
ALTER TABLE tools_effectrecord SET (fillfactor = 70);
ALTER TABLE tools_capusage SET (fillfactor = 40);
ALTER TABLE runs_budgetwindow SET (fillfactor = 40);
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0001_initial"), ("tools", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL(SETTINGS, migrations.RunSQL.noop)]
