"""Refuse entries that cannot be read back: times and facts that no program of ours writes."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

# NOT VALID: what is there already stays, and verifying names it. The real facts have some hundred bytes.
READABLE = """
ALTER TABLE ledger_entry
    ADD CONSTRAINT ledger_entry_at_readable
        CHECK (at >= '2000-01-01 00:00:00+00' AND at < '9999-12-30 00:00:00+00') NOT VALID,
    ADD CONSTRAINT ledger_entry_facts_object CHECK (jsonb_typeof(facts) = 'object') NOT VALID,
    ADD CONSTRAINT ledger_entry_facts_size CHECK (octet_length(facts::text) <= 65536) NOT VALID;
"""
UNREADABLE = """
ALTER TABLE ledger_entry
    DROP CONSTRAINT ledger_entry_at_readable,
    DROP CONSTRAINT ledger_entry_facts_object,
    DROP CONSTRAINT ledger_entry_facts_size;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("ledger", "0001_ledger")]
    operations: ClassVar = [migrations.RunSQL(READABLE, UNREADABLE)]
