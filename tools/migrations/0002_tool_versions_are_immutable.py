"""Refuse, in the database, any change of a tool version: approvals are bound to its digest."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION tools_guard_tool_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'tool version % is immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_toolversion_immutable BEFORE UPDATE OR DELETE ON tools_toolversion
    FOR EACH ROW EXECUTE FUNCTION tools_guard_tool_version();
"""
UNGUARD = """
DROP TRIGGER tools_toolversion_immutable ON tools_toolversion;
DROP FUNCTION tools_guard_tool_version();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0001_initial")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
