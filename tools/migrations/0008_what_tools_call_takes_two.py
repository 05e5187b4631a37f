"""Refuse, in the database, a tool version that calls something else than the latest one, unless two people signed it.

What is called and what caps count has no order: nobody can tell by itself which address or argument is the milder.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

LOOSENS = """
CREATE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
"""
GUARD = """
CREATE OR REPLACE FUNCTION tools_guard_new_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before tools_toolversion;
    team uuid := (SELECT team_id FROM tools_tool WHERE id = NEW.tool_id);
BEGIN
    SELECT * INTO before FROM tools_toolversion WHERE tool_id = NEW.tool_id ORDER BY number DESC LIMIT 1;
    IF identities_may_write('tool_version.add', NEW.tool_id::text, team, before.id IS NOT NULL AND (%s), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a tool version takes a second person: %% refused', TG_OP USING ERRCODE = '42501';
END $$;
"""
BY_ANY_CALL = GUARD % "tools_version_loosens(before, NEW)"
BY_EFFECT = (
    GUARD
    % """
        array_position(ARRAY['read', 'reversible', 'irreversible'], NEW.effect::text)
            < array_position(ARRAY['read', 'reversible', 'irreversible'], before.effect::text)
        OR NEW.amount_argument <> before.amount_argument"""
)


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0007_terms_take_two")]
    operations: ClassVar = [
        migrations.RunSQL(
            LOOSENS + BY_ANY_CALL,
            BY_EFFECT + "DROP FUNCTION tools_version_loosens(tools_toolversion, tools_toolversion);",
        )
    ]
