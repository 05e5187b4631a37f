"""Let agent versions have their runs' tools fixed by the user's words; to leave that to nobody takes two people."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

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
        OR before.repeat_limit IS NOT NULL AND NEW.repeat_limit > before.repeat_limit
{also}        OR runs_takes_up_laxer_tool(NEW.id, before.id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to publish this version takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
"""
PLANS = """        OR coalesce(array_position(ARRAY['planner', 'words', ''], NEW.plan::text)
            > array_position(ARRAY['planner', 'words', ''], before.plan::text), false)
        OR before.off_plan IS NOT NULL AND before.off_plan = 'DENY' AND NEW.off_plan <> 'DENY'
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0011_money_and_versions_take_two"), ("tools", "0011_provenance")]
    operations: ClassVar = [
        migrations.AddField(
            "agentversion",
            "plan",
            models.CharField(
                blank=True,
                choices=[
                    ("words", "by the user's words"),
                    ("planner", "by the planner's first turn, within the user's words"),
                ],
                default="",
                max_length=8,
            ),
        ),
        migrations.AddField(
            "agentversion",
            "off_plan",
            models.CharField(
                choices=[("DENY", "deny"), ("REQUIRE_APPROVAL", "ask a person")], default="DENY", max_length=20
            ),
        ),
        migrations.RunSQL(GUARD.format(also=PLANS), GUARD.format(also="")),
    ]
