"""Let what two people signed as the end of a rule write none in its place: it says of no column how it is to be."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations

_GUARD = """
CREATE OR REPLACE FUNCTION approvals_guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_approvalrule;
    loosens boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        loosens := EXISTS (SELECT FROM approvals_approvalrule r
            WHERE r.team_id = NEW.team_id AND (r.ended_at IS NULL OR r.ended_at = transaction_timestamp())
                AND r.place >= NEW.place);
        IF identities_may_write('approval_rule.set', NEW.team_id::text || ':' || NEW.place::text, NEW.team_id, loosens, NEW){more} THEN
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
"""
_SAYS_SOMETHING = """
            AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'approval_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.place::text AND p.after = '{}'
                AND p.activated_in = pg_current_xact_id()::text::bigint)"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("approvals", "0007_asked_by_the_ladder")]
    operations: ClassVar = [
        migrations.RunSQL(
            _GUARD.replace("{more}", _SAYS_SOMETHING),
            _GUARD.replace("{more}", ""),
        ),
    ]
