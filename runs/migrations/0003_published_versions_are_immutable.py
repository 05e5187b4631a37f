"""Refuse, in the database, any change of what has been published: a superuser's and raw SQL's included.

A draft may change and be published; a published version may only be retired; its catalogue stands still
from the moment of publication.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD_VERSION = """
CREATE FUNCTION runs_guard_agent_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    retired runs_agentversion;
BEGIN
    IF OLD.state = 'draft' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'published' THEN
        retired := OLD;
        retired.state := 'retired';
        IF NEW IS NOT DISTINCT FROM retired OR NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'agent version % is %: % refused', OLD.id, OLD.state, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER runs_agentversion_immutable BEFORE UPDATE OR DELETE ON runs_agentversion
    FOR EACH ROW EXECUTE FUNCTION runs_guard_agent_version();
"""

GUARD_CATALOGUE = """
CREATE FUNCTION runs_guard_catalogue() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    frozen boolean;
BEGIN
    -- The lock makes this wait for a publication that is under way, and then see it.
    SELECT bool_or(version.state <> 'draft') INTO frozen FROM (
        SELECT state FROM runs_agentversion WHERE id IN (OLD.agentversion_id, NEW.agentversion_id) FOR SHARE
    ) AS version;
    IF frozen THEN
        RAISE EXCEPTION 'the catalogue of a published version: % refused', TG_OP USING ERRCODE = '42501';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER runs_agentversion_catalogue_immutable
    BEFORE INSERT OR UPDATE OR DELETE ON runs_agentversion_catalogue
    FOR EACH ROW EXECUTE FUNCTION runs_guard_catalogue();
"""

UNGUARD = """
DROP TRIGGER runs_agentversion_immutable ON runs_agentversion;
DROP TRIGGER runs_agentversion_catalogue_immutable ON runs_agentversion_catalogue;
DROP FUNCTION runs_guard_agent_version(), runs_guard_catalogue();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0002_storage")]
    operations: ClassVar = [migrations.RunSQL(GUARD_VERSION + GUARD_CATALOGUE, UNGUARD)]
