"""Refuse that an application is trusted to name users without a second person, however the row is written."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION identities_guard_trust() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.may_assert_users = (TG_OP = 'UPDATE' AND OLD.may_assert_users)
        OR identities_may_write('application.trust', NEW.id::text, NEW.team_id, NEW.may_assert_users, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to trust an application takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_application_governed BEFORE INSERT OR UPDATE OF may_assert_users ON identities_application
    FOR EACH ROW EXECUTE FUNCTION identities_guard_trust();
"""
UNGUARD = """
DROP TRIGGER identities_application_governed ON identities_application;
DROP FUNCTION identities_guard_trust();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0002_guards")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
