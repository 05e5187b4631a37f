"""Deputies for a time, who issued the key that work was started with, and what the database holds of both.

The guards of 0006 are replaced by ones that hold the same, and more: a seat is one person's, decided in by them or by
whoever stands in for them; nobody decides who has a part in a request or is the deputy of somebody who has.
"""

from __future__ import annotations

import datetime
from importlib import import_module
from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

import agentops.identifiers

BEFORE = import_module("approvals.migrations.0006_rule_guards")
GUARD = """
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when triggers are made

-- Whether a person has a part in a request: who asked, owns the agent, issued the key or is served, here or further up.
CREATE FUNCTION approvals_has_part(asked uuid, person uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user u, approvals_approvalrequest a
        JOIN identities_agentidentity i ON i.id = a.identity_id JOIN identities_principal p ON p.id = a.principal_id
        WHERE u.id = $2 AND a.id = $1 AND (u.id = a.requested_by_id OR u.id = a.owner_id OR u.id = a.key_issuer_id
            OR u.id = i.owner_id OR p.issuer = 'agentops' AND p.subject = u.username
            OR EXISTS (SELECT FROM approvals_approvalparent b
                JOIN identities_agentidentity o ON o.id = b.identity_id JOIN identities_principal q ON q.id = b.principal_id
                WHERE b.request_id = a.id AND (b.requested_by_id = u.id OR b.owner_id = u.id OR b.key_issuer_id = u.id
                    OR o.owner_id = u.id OR q.issuer = 'agentops' AND q.subject = u.username))))
$$;
-- Whether a person has some tool of a team to approve.
CREATE FUNCTION approvals_approves_in(person uuid, team uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM tools_tooluserobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
            JOIN tools_tool t ON t.id = p.content_object_id
            WHERE p.user_id = $1 AND t.team_id = $2 AND c.codename = 'approve_calls')
        OR EXISTS (SELECT FROM tools_toolgroupobjectpermission p JOIN auth_permission c ON c.id = p.permission_id
            JOIN tools_tool t ON t.id = p.content_object_id JOIN identities_user_groups m ON m.group_id = p.group_id
            WHERE m.user_id = $1 AND t.team_id = $2 AND c.codename = 'approve_calls')
$$;
-- Whether a stage asks a person, who has the tool's calls to approve.
CREATE FUNCTION approvals_is_asked(asked uuid, person uuid, place integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM approvals_stagegroup g WHERE g.request_id = $1 AND g.place = $3
            AND (g.group_id IS NULL OR EXISTS (SELECT FROM identities_user_groups m
                WHERE m.user_id = $2 AND m.group_id = g.group_id)))
        AND EXISTS (SELECT FROM approvals_approvalrequest a, auth_permission c WHERE a.id = $1 AND c.codename = 'approve_calls'
            AND (EXISTS (SELECT FROM tools_tooluserobjectpermission p
                    WHERE p.user_id = $2 AND p.content_object_id = a.tool_id AND p.permission_id = c.id)
                OR EXISTS (SELECT FROM tools_toolgroupobjectpermission p JOIN identities_user_groups m ON m.group_id = p.group_id
                    WHERE m.user_id = $2 AND p.content_object_id = a.tool_id AND p.permission_id = c.id)))
$$;
-- Whether a stage asks a person as one of a group: by its name, or because the group has the tool's calls to approve.
CREATE FUNCTION approvals_is_asked_in(in_group integer, person uuid, asked uuid, place integer) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user_groups m WHERE m.user_id = $2 AND m.group_id = $1)
        AND EXISTS (SELECT FROM approvals_stagegroup g WHERE g.request_id = $3 AND g.place = $4
            AND (g.group_id = $1 OR g.group_id IS NULL AND EXISTS (SELECT FROM approvals_approvalrequest a
                JOIN tools_toolgroupobjectpermission p ON p.content_object_id = a.tool_id
                JOIN auth_permission c ON c.id = p.permission_id
                WHERE a.id = $3 AND p.group_id = $1 AND c.codename = 'approve_calls')))
$$;
-- Whether an absence counts at a time, for requests of a team and a tool.
CREATE FUNCTION approvals_stands(s approvals_absence, a approvals_approvalrequest, at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT s.ended_at IS NULL AND at >= s.begins_at AND at < s.ends_at
        AND (s.team_id IS NULL OR s.team_id = a.team_id) AND (s.tool_id IS NULL OR s.tool_id = a.tool_id)
$$;

CREATE OR REPLACE FUNCTION approvals_guard_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id)
        AND NOT EXISTS (SELECT FROM approvals_approvalstage s WHERE s.request_id = NEW.id AND s.needed > (
            SELECT least(count(DISTINCT d.decided_by_id), count(DISTINCT coalesce(d.deputy_for_id, d.decided_by_id)))
            FROM approvals_approvaldecision d
            WHERE d.request_id = NEW.id AND d.stage = s.place AND d.verdict = 'approve' AND d.digest = NEW.digest))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'approval % takes more people: approved refused', NEW.id USING ERRCODE = '42501';
END $$;

CREATE OR REPLACE FUNCTION approvals_guard_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND identities_is_person(NEW.decided_by_id)
        AND NOT approvals_has_part(NEW.request_id, NEW.decided_by_id)
        AND NOT EXISTS (SELECT FROM approvals_absence s, approvals_approvalrequest a
            WHERE a.id = NEW.request_id AND s.deputy_id = NEW.decided_by_id
                AND approvals_stands(s, a, NEW.decided_at) AND approvals_has_part(a.id, s.absent_id))
        AND (NEW.absence_id IS NULL AND NEW.deputy_for_id IS NULL OR EXISTS (
            SELECT FROM approvals_absence s, approvals_approvalrequest a
            WHERE a.id = NEW.request_id AND s.id = NEW.absence_id AND s.absent_id = NEW.deputy_for_id
                AND s.deputy_id = NEW.decided_by_id AND approvals_stands(s, a, NEW.decided_at)
                AND identities_is_person(s.absent_id) AND approvals_is_asked(a.id, s.absent_id, NEW.stage)
                AND (s.group_id IS NULL OR approvals_is_asked_in(s.group_id, s.absent_id, a.id, NEW.stage))
                AND approvals_approves_in(s.deputy_id, a.team_id)))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a decision is of somebody apart, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;

-- Who names a deputy is away themselves, or two people have signed it. It is taken back once, and never changed.
CREATE FUNCTION approvals_guard_absence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_absence;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NULL AND NEW.ended_by_id IS NULL
            AND identities_is_person(NEW.absent_id) AND identities_is_person(NEW.deputy_id)
            AND (NEW.declared_by_id = NEW.absent_id OR NEW.declared_by_id <> NEW.deputy_id AND identities_may_write('absence.declare',
                NEW.absent_id::text || ':' || NEW.deputy_id::text, NEW.team_id, true, NEW)
                AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'absence.declare'
                    AND p.checker_id = NEW.deputy_id AND p.activated_in = pg_current_xact_id()::text::bigint)) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
        ended := OLD;
        ended.ended_at := NEW.ended_at;
        ended.ended_by_id := NEW.ended_by_id;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'another''s deputy takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_absence_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_absence
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_absence();

-- An account that is closed ends what it left to others and what others left to it: to open it again revives nothing.
CREATE FUNCTION approvals_end_absences() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE approvals_absence SET ended_at = clock_timestamp()
        WHERE ended_at IS NULL AND (absent_id = NEW.id OR deputy_id = NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER identities_user_absences AFTER UPDATE OF is_active ON identities_user
    FOR EACH ROW WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION approvals_end_absences();
"""
UNGUARD = f"""
DROP TRIGGER identities_user_absences ON identities_user;
DROP TRIGGER approvals_absence_governed ON approvals_absence;
DROP FUNCTION approvals_end_absences(), approvals_guard_absence();
{BEFORE.UNGUARD}
DROP FUNCTION approvals_stands(approvals_absence, approvals_approvalrequest, timestamptz), approvals_is_asked_in(integer, uuid, uuid, integer),
    approvals_is_asked(uuid, uuid, integer), approvals_approves_in(uuid, uuid), approvals_has_part(uuid, uuid);
{BEFORE.GUARD}
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("approvals", "0008_edits_and_questions"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("identities", "0013_key_issuers"),
        ("tools", "0017_breaker_transitions"),
    ]
    operations: ClassVar = [
        migrations.AddField(
            model_name="approvalparent",
            name="key_issuer",
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="approvalrequest",
            name="key_issuer",
            field=models.ForeignKey(db_index=False, help_text="Who issued the API key with which the work was started.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.CreateModel(
            name="Absence",
            fields=[
                ("id", models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ("begins_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=200)),
                ("declared_at", models.DateTimeField(editable=False)),
                ("ended_at", models.DateTimeField(editable=False, help_text="When it was taken back.", null=True)),
                ("absent", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="absences", to=settings.AUTH_USER_MODEL)),
                ("declared_by", models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("deputy", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="deputyships", to=settings.AUTH_USER_MODEL)),
                ("ended_by", models.ForeignKey(editable=False, help_text="Empty though it was taken back: one of the two accounts was closed.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("group", models.ForeignKey(blank=True, db_constraint=False, help_text="Only what the absent may decide as one of this group.", null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="auth.group")),
                ("team", models.ForeignKey(blank=True, help_text="Empty: every team.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="identities.team")),
                ("tool", models.ForeignKey(blank=True, help_text="Empty: every tool.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tools.tool")),
            ],
            options={"ordering": ["-begins_at"]},
        ),
        migrations.AddIndex(
            model_name="absence",
            index=models.Index(condition=models.Q(("ended_at", None)), fields=["deputy", "ends_at"], name="absence_standing"),
        ),
        migrations.AddConstraint(
            model_name="absence",
            constraint=models.CheckConstraint(condition=models.Q(("absent", models.F("deputy")), _negated=True), name="absence_deputy_is_another"),
        ),
        migrations.AddConstraint(
            model_name="absence",
            constraint=models.CheckConstraint(condition=models.Q(("ends_at__gt", models.F("begins_at")), ("ends_at__lte", django.db.models.expressions.CombinedExpression(models.F("begins_at"), "+", models.Value(datetime.timedelta(days=30))))), name="absence_is_bounded"),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="deputy_for",
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name="approvaldecision",
            name="absence",
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="decisions", to="approvals.absence"),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.UniqueConstraint(models.F("request"), django.db.models.functions.comparison.Coalesce("deputy_for", "decided_by"), name="decision_once_per_seat"),
        ),
        migrations.AddConstraint(
            model_name="approvaldecision",
            constraint=models.CheckConstraint(condition=models.Q(models.Q(("absence", None), ("deputy_for", None)), models.Q(("absence__isnull", False), ("deputy_for__isnull", False), models.Q(("deputy_for", models.F("decided_by")), _negated=True)), _connector="OR"), name="decision_for_somebody_else_by_absence"),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
