"""Hold in the database what a request takes: as many people as each stage needs, none of whom has a part in it.

A decision and a stage are never changed. A request that waits from before takes one yes, as it did.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

BACKFILL = """
INSERT INTO approvals_approvalstage (request_id, place, needed, ladder)
    SELECT id, 1, 1, '[[0, null]]' FROM approvals_approvalrequest WHERE state IN ('waiting', 'approved');
INSERT INTO approvals_stagegroup (request_id, place, group_id, opened_at)
    SELECT id, 1, NULL, created_at FROM approvals_approvalrequest WHERE state IN ('waiting', 'approved');
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when triggers are made
"""
GUARD = """
CREATE FUNCTION approvals_guard_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id)
        AND NOT EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id AND s.needed > (
            SELECT count(DISTINCT d.decided_by_id) FROM approvals_approvaldecision d
            WHERE d.request_id = NEW.id AND d.stage = s.place AND d.verdict = 'approve' AND d.digest = NEW.digest))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'approval % takes more people: approved refused', NEW.id USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalrequest_approved BEFORE UPDATE OF state ON approvals_approvalrequest
    FOR EACH ROW WHEN (NEW.state = 'approved' AND OLD.state <> 'approved')
    EXECUTE FUNCTION approvals_guard_approved();

-- Superusers are people like others: who asked, owns the agent or is served decides about nothing of it.
CREATE FUNCTION approvals_guard_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM identities_user u, approvals_approvalrequest a
        JOIN identities_agentidentity i ON i.id = a.identity_id JOIN identities_principal p ON p.id = a.principal_id
        WHERE u.id = NEW.decided_by_id AND a.id = NEW.request_id AND u.kind = 'person' AND u.is_active
            AND u.id IS DISTINCT FROM a.requested_by_id AND u.id IS DISTINCT FROM a.owner_id AND u.id <> i.owner_id
            AND NOT (p.issuer = 'agentops' AND p.subject = u.username)
            AND NOT EXISTS (SELECT FROM approvals_approvalparent b
                JOIN identities_agentidentity o ON o.id = b.identity_id JOIN identities_principal q ON q.id = b.principal_id
                WHERE b.request_id = a.id AND (b.requested_by_id = u.id OR b.owner_id = u.id OR o.owner_id = u.id
                    OR q.issuer = 'agentops' AND q.subject = u.username)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision is of somebody apart, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvaldecision_apart BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvaldecision
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_decision();

CREATE FUNCTION approvals_guard_stage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what a request takes is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalstage_final BEFORE UPDATE OR DELETE ON approvals_approvalstage
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_stage();

-- A group is let decide when its rung of the ladder has come.
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
CREATE TRIGGER approvals_stagegroup_final BEFORE INSERT OR UPDATE OR DELETE ON approvals_stagegroup
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_asked();

-- A rule is not edited, only ended. Which one stands before which decides too, so all of them are compared as one.
CREATE FUNCTION approvals_guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_approvalrule;
    loosens boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        loosens := EXISTS (SELECT FROM approvals_approvalrule r
            WHERE r.team_id = NEW.team_id AND (r.ended_at IS NULL OR r.ended_at = transaction_timestamp())
                AND r.place >= NEW.place);
        IF identities_may_write('approval_rule.set', NEW.team_id::text || ':' || NEW.place::text, NEW.team_id, loosens, NEW)
            -- What was signed as the end of a rule says of no column how it is to be.
            AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'approval_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.place::text AND p.after = '{}'
                AND p.activated_in = pg_current_xact_id()::text::bigint) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('approval_rule.set', NEW.team_id) = 'one'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'approval_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.place::text AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an approval rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvalrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_rule();
"""
UNGUARD = """
DROP TRIGGER approvals_approvalrule_governed ON approvals_approvalrule;
DROP TRIGGER approvals_stagegroup_final ON approvals_stagegroup;
DROP TRIGGER approvals_approvalstage_final ON approvals_approvalstage;
DROP TRIGGER approvals_approvaldecision_apart ON approvals_approvaldecision;
DROP TRIGGER approvals_approvalrequest_approved ON approvals_approvalrequest;
DROP FUNCTION approvals_guard_rule(), approvals_guard_asked(), approvals_guard_stage(), approvals_guard_decision(), approvals_guard_approved();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0005_rules"), ("identities", "0012_single_sign_on")]
    operations: ClassVar = [
        migrations.RunSQL(BACKFILL, migrations.RunSQL.noop),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
