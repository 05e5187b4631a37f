"""Refuse, in the database, a publication that takes up an earlier, laxer definition of a tool, unless two signed it.

Adding a laxer version of a tool takes two people; to go back to one that was there before has to take as many.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GOES_BACK = """
CREATE FUNCTION runs_takes_up_laxer_tool(version uuid, previous uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM runs_agentversion_catalogue c
        JOIN tools_toolversion pinned ON pinned.id = c.toolversion_id
        JOIN tools_toolversion latest ON latest.tool_id = pinned.tool_id
        WHERE c.agentversion_id = $1 AND tools_version_loosens(latest, pinned)
            AND NOT EXISTS (SELECT FROM tools_toolversion v
                WHERE v.tool_id = latest.tool_id AND v.number > latest.number)
            AND NOT EXISTS (SELECT FROM runs_agentversion_catalogue p
                WHERE p.agentversion_id = $2 AND p.toolversion_id = pinned.id))
$$;
"""
GUARD = """
CREATE OR REPLACE FUNCTION runs_guard_publication() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before runs_agentversion;
    team uuid := (SELECT team_id FROM identities_agentidentity WHERE id = NEW.identity_id);
BEGIN
    IF NEW.state = 'draft' OR TG_OP = 'UPDATE' AND OLD.state <> 'draft' THEN
        RETURN NEW;
    END IF;
    SELECT * INTO before FROM runs_agentversion WHERE identity_id = NEW.identity_id AND id <> NEW.id
        AND state <> 'draft' ORDER BY published_at DESC NULLS LAST, number DESC LIMIT 1;
    IF identities_may_write('agent_version.publish', NEW.identity_id::text, team,
        before.max_steps IS NOT NULL AND coalesce(NEW.max_steps > before.max_steps, true)
        OR before.max_tokens IS NOT NULL AND coalesce(NEW.max_tokens > before.max_tokens, true)
        OR before.max_usd IS NOT NULL AND coalesce(NEW.max_usd > before.max_usd, true)
        OR before.max_seconds IS NOT NULL AND coalesce(NEW.max_seconds > before.max_seconds, true)
        OR before.run_expires_after_s IS NOT NULL
            AND coalesce(NEW.run_expires_after_s > before.run_expires_after_s, true)
        OR before.repeat_limit IS NOT NULL AND NEW.repeat_limit > before.repeat_limit%s, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to publish this version takes a second person: %% refused', TG_OP USING ERRCODE = '42501';
END $$;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("runs", "0011_money_and_versions_take_two"),
        ("tools", "0008_what_tools_call_takes_two"),
    ]
    operations: ClassVar = [
        migrations.RunSQL(
            GOES_BACK + GUARD % "\n        OR runs_takes_up_laxer_tool(NEW.id, before.id)",
            GUARD % "" + "DROP FUNCTION runs_takes_up_laxer_tool(uuid, uuid);",
        )
    ]
