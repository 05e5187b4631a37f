"""Refuse, in the database, any change of a grant but its end: approvals and waivers are bound to its terms.

A grant in force may be superseded or revoked, and is never in force again.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION tools_guard_grant() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_toolgrant;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'active' AND NEW.state IN ('superseded', 'revoked') THEN
        ended := OLD;
        ended.state := NEW.state;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'grant % is immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_toolgrant_immutable BEFORE UPDATE OR DELETE ON tools_toolgrant
    FOR EACH ROW EXECUTE FUNCTION tools_guard_grant();
"""
UNGUARD = """
DROP TRIGGER tools_toolgrant_immutable ON tools_toolgrant;
DROP FUNCTION tools_guard_grant();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0003_waivers_name_a_tool_version")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
