"""Find what drivers saw too late by its run: erasing a run must not read the whole ledger."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# Partial: it holds a few rows, and the entries of a run that goes well do not touch it.
INDEX = """
CREATE INDEX ledger_entry_late ON ledger_entry ((facts ->> 'run')) WHERE kind = 'outcome.late'
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("ledger", "0002_readable_entries")]
    operations: ClassVar = [migrations.RunSQL(INDEX, "DROP INDEX ledger_entry_late")]
