"""Rules about how people are watched over, second looks, and how each decision was looked at."""

import agentops.identifiers
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


GUARD = """
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when triggers are made
-- The first rule of a team only asks more of its people. What takes its place, or ends it, takes a second person.
CREATE FUNCTION approvals_guard_oversight() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_oversightrule;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.ended_at IS NULL AND identities_may_write('oversight_rule.set', NEW.team_id::text, NEW.team_id,
                EXISTS (SELECT FROM approvals_oversightrule r
                    WHERE r.team_id = NEW.team_id AND r.ended_at = transaction_timestamp()), NEW)
            -- What was signed as the end of a rule says of no column how it is to be.
            AND NOT EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'oversight_rule.set'
                AND p.subject = NEW.team_id::text AND p.after = '{}'
                AND p.activated_in = pg_current_xact_id()::text::bigint) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('oversight_rule.set', NEW.team_id) = 'one'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'oversight_rule.set'
                AND p.subject = NEW.team_id::text AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'an oversight rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_oversightrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_oversightrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_oversight();

-- What a second person says stays, and nobody looks a second time at what they decided themselves.
CREATE FUNCTION approvals_guard_second_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.seen_at IS NULL AND NEW.request_id = OLD.request_id AND NEW.rule_id = OLD.rule_id
        AND NEW.stage IS NOT DISTINCT FROM OLD.stage AND NEW.drawn_at = OLD.drawn_at
        AND NOT EXISTS (SELECT FROM approvals_approvaldecision d WHERE d.request_id = NEW.request_id
            AND NEW.seen_by_id IN (d.decided_by_id, d.deputy_for_id)
            AND (NEW.stage IS NULL OR d.stage <> NEW.stage))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a second look is of somebody else, and final: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_secondlook_final BEFORE UPDATE OR DELETE ON approvals_secondlook
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_second_look();
"""
UNGUARD = """
DROP TRIGGER approvals_secondlook_final ON approvals_secondlook;
DROP TRIGGER approvals_oversightrule_governed ON approvals_oversightrule;
DROP FUNCTION approvals_guard_second_look(), approvals_guard_oversight();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0013_notices'),
        ('identities', '0013_key_issuers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='OversightRule',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('most', models.PositiveSmallIntegerField(help_text='So many approvals of one person...', null=True)),
                ('within_s', models.PositiveIntegerField(help_text='...within so many seconds...', null=True)),
                ('pause_s', models.PositiveIntegerField(help_text='...and they rest from approving for so many.', null=True)),
                ('second_percent', models.PositiveSmallIntegerField(help_text='Of the requests that fit, a second person sees.')),
                ('second_below', models.DecimalField(decimal_places=4, help_text='Of what moves less than this, or nothing.', max_digits=20, null=True)),
                ('currency', models.CharField(blank=True, max_length=8)),
                ('before_effect', models.BooleanField(default=False, help_text='They look before the call goes out.')),
                ('seed', models.CharField(help_text='Which ones follows from this and their ids alone.', max_length=32)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
            ],
            options={
                'ordering': ['team'],
            },
        ),
        migrations.CreateModel(
            name='SecondLook',
            fields=[
                ('request', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='second_look', serialize=False, to='approvals.approvalrequest')),
                ('stage', models.PositiveSmallIntegerField(null=True)),
                ('drawn_at', models.DateTimeField()),
                ('verdict', models.CharField(blank=True, choices=[('agree', 'Agree'), ('disagree', 'Disagree')], max_length=8)),
                ('seen_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['drawn_at'],
            },
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='opened_s',
            field=models.PositiveIntegerField(help_text='Seconds since this person first opened it.', null=True),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='to_read',
            field=models.PositiveIntegerField(help_text='Words that there were to read.', null=True),
        ),
        migrations.AddField(
            model_name='approvaldecision',
            name='unfolded',
            field=models.PositiveSmallIntegerField(help_text='Parts of the page that were unfolded, as the browser says.', null=True),
        ),
        migrations.AddIndex(
            model_name='approvaldecision',
            index=models.Index(fields=['decided_by', '-decided_at'], name='decision_latest_of_person'),
        ),
        migrations.AddIndex(
            model_name='approvaldecision',
            index=models.Index(fields=['-decided_at'], name='decision_latest'),
        ),
        migrations.AddField(
            model_name='oversightrule',
            name='created_by',
            field=models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='oversightrule',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='oversight_rules', to='identities.team'),
        ),
        migrations.AddField(
            model_name='secondlook',
            name='rule',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='approvals.oversightrule'),
        ),
        migrations.AddField(
            model_name='secondlook',
            name='seen_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='second_looks', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='oversightrule',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('team',), name='oversight_rule_one_per_team'),
        ),
        migrations.AddConstraint(
            model_name='oversightrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('most', None), ('pause_s', None), ('within_s', None)), models.Q(('most__gte', 2), ('pause_s__gte', 1), ('within_s__gte', 1)), _connector='OR'), name='oversight_pause_is_whole'),
        ),
        migrations.AddConstraint(
            model_name='oversightrule',
            constraint=models.CheckConstraint(condition=models.Q(('second_percent__lte', 100)), name='oversight_share_is_one'),
        ),
        migrations.AddConstraint(
            model_name='oversightrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), ('second_below', None)), models.Q(('second_below__gt', 0), models.Q(('currency', ''), _negated=True)), _connector='OR'), name='oversight_amount_has_currency'),
        ),
        migrations.AddIndex(
            model_name='secondlook',
            index=models.Index(condition=models.Q(('seen_at', None)), fields=['drawn_at'], name='second_look_open'),
        ),
        migrations.AddConstraint(
            model_name='secondlook',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('seen_at', None), ('seen_by', None), ('verdict', '')), models.Q(('seen_at__isnull', False), ('seen_by__isnull', False), ('verdict__in', ('agree', 'disagree'))), _connector='OR'), name='second_look_is_somebodys'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
