"""Let nobody be asked whom the stage does not name: a group is let decide when its rung of the ladder has come."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
CREATE FUNCTION approvals_guard_asked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM approvals_approvalstage s JOIN approvals_approvalrequest a ON a.id = s.request_id,
            jsonb_array_elements(s.ladder) rung
        WHERE s.request_id = NEW.request_id AND s.place = NEW.place
            AND rung -> 1 = coalesce(to_jsonb(NEW.group_id), 'null') AND ((rung ->> 0)::int = 0 OR s.place = a.stage
                AND NEW.opened_at >= coalesce(a.stage_at, a.created_at) + make_interval(secs => (rung ->> 0)::int)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'who decides is what the stage says, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
DROP TRIGGER approvals_stagegroup_final ON approvals_stagegroup;
CREATE TRIGGER approvals_stagegroup_final BEFORE INSERT OR UPDATE OR DELETE ON approvals_stagegroup
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_asked();
"""
UNGUARD = """
DROP TRIGGER approvals_stagegroup_final ON approvals_stagegroup;
CREATE TRIGGER approvals_stagegroup_final BEFORE UPDATE OR DELETE ON approvals_stagegroup
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_stage();
DROP FUNCTION approvals_guard_asked();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0006_rule_guards")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
