"""Roles stay what the code says: the application's role can neither change their permissions nor rename them."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION identities_guard_roles() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    groups integer[] := CASE TG_TABLE_NAME
        WHEN 'auth_group' THEN ARRAY[(to_jsonb(OLD) ->> 'id')::integer]
        ELSE ARRAY[(to_jsonb(OLD) ->> 'group_id')::integer, (to_jsonb(NEW) ->> 'group_id')::integer] END;
BEGIN
    IF NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') AND EXISTS (
        SELECT FROM auth_group WHERE id = ANY(groups)
            AND name IN ('auditor', 'approver', 'tool owner', 'identity admin', 'operator')
    ) THEN
        RAISE EXCEPTION 'a role is fixed: % refused', TG_OP USING ERRCODE = '42501';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER identities_role_fixed BEFORE UPDATE OR DELETE ON auth_group
    FOR EACH ROW EXECUTE FUNCTION identities_guard_roles();
CREATE TRIGGER identities_role_permissions_fixed BEFORE INSERT OR UPDATE OR DELETE ON auth_group_permissions
    FOR EACH ROW EXECUTE FUNCTION identities_guard_roles();
"""

UNGUARD = """
DROP TRIGGER identities_role_fixed ON auth_group;
DROP TRIGGER identities_role_permissions_fixed ON auth_group_permissions;
DROP FUNCTION identities_guard_roles();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0008_credential_switch"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
