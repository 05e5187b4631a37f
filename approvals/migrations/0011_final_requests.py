"""Hold in the database that a request stays what was asked: only its course goes on, and only forward.

A column that is added later is final by itself: the row is compared but for those that the course may change.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

GUARD = """
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when triggers are made
DROP TRIGGER approvals_approvalrequest_origin ON approvals_approvalrequest;
DROP FUNCTION approvals_guard_origin();

CREATE FUNCTION approvals_guard_request() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone_on approvals_approvalrequest;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        gone_on := OLD;
        IF OLD.state = 'waiting' AND NEW.state = 'waiting' THEN
            gone_on.escalates_at := NEW.escalates_at;
            IF NEW.stage = OLD.stage + 1 OR OLD.stage_at IS NULL AND NEW.stage = OLD.stage THEN
                gone_on.stage := NEW.stage;
                gone_on.stage_at := greatest(NEW.stage_at, OLD.stage_at, OLD.created_at);
            END IF;
        ELSIF OLD.state = 'waiting' AND NEW.state IN ('approved', 'denied', 'expired', 'voided', 'edited', 'asked')
            OR OLD.state = 'approved' AND NEW.state = 'voided' THEN
            gone_on.state := NEW.state;
            gone_on.decided_at := coalesce(NEW.decided_at, OLD.created_at);
        ELSIF OLD.state = 'approved' AND NEW.state = 'approved' AND OLD.consumed_at IS NULL THEN
            gone_on.consumed_at := NEW.consumed_at;
        END IF;
        IF NEW IS NOT DISTINCT FROM gone_on THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'what was asked in approval % is final: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalrequest_final BEFORE UPDATE OR DELETE ON approvals_approvalrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_request();

-- For whom a request acts is written with it, before the first entry of its stream.
CREATE FUNCTION approvals_guard_parent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT FROM ledger_entry e WHERE e.stream = NEW.request_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'for whom a request acts is final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalparent_final BEFORE INSERT OR UPDATE OR DELETE ON approvals_approvalparent
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_parent();
"""
UNGUARD = """
DROP TRIGGER approvals_approvalparent_final ON approvals_approvalparent;
DROP TRIGGER approvals_approvalrequest_final ON approvals_approvalrequest;
DROP FUNCTION approvals_guard_parent(), approvals_guard_request();

CREATE FUNCTION approvals_guard_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what came before approval % is final: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalrequest_origin BEFORE UPDATE OF follows_id, edited_by_id ON approvals_approvalrequest
    FOR EACH ROW WHEN (NEW.follows_id IS DISTINCT FROM OLD.follows_id OR NEW.edited_by_id IS DISTINCT FROM OLD.edited_by_id)
    EXECUTE FUNCTION approvals_guard_origin();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0010_batches"), ("ledger", "0001_ledger")]
    operations: ClassVar = [migrations.RunSQL(GUARD, UNGUARD)]
