"""Batches of requests that are decided together, what people opened one by one, sampling rules, and saved views."""

import agentops.identifiers
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


GUARD = """
SET CONSTRAINTS ALL IMMEDIATE; -- nothing may be pending when triggers are made
-- Fewer requests opened, or larger amounts, is what loosens; a rule where none stood does, for all had to be opened.
CREATE FUNCTION approvals_guard_sampling() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended approvals_samplingrule;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF identities_may_write('sampling_rule.set', NEW.team_id::text || ':' || NEW.effect, NEW.team_id,
                NOT EXISTS (SELECT FROM approvals_samplingrule r
                    WHERE r.team_id = NEW.team_id AND r.effect = NEW.effect AND r.ended_at = transaction_timestamp()
                        AND NEW.at_least >= r.at_least AND NEW.percent >= r.percent
                        AND (NEW.max_amount IS NULL OR NEW.max_amount <= r.max_amount AND NEW.currency = r.currency)),
                NEW) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL THEN
        ended := OLD;
        ended.ended_at := transaction_timestamp();
        -- To end one takes away: everything has to be opened again.
        IF NEW IS NOT DISTINCT FROM ended AND (identities_change_needs('sampling_rule.set', NEW.team_id) <> 'two'
            OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = 'sampling_rule.set'
                AND p.subject = NEW.team_id::text || ':' || NEW.effect AND p.state = 'activated'
                AND p.activated_in = pg_current_xact_id()::text::bigint))
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a sampling rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_samplingrule_governed BEFORE INSERT OR UPDATE OR DELETE ON approvals_samplingrule
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_sampling();

-- What somebody has confirmed, and what became of it, stays as it was.
CREATE FUNCTION approvals_guard_batch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.person_id = OLD.person_id AND (OLD.state = 'draft'
        OR NEW.state IN (OLD.state, 'done') AND NEW.verdict = OLD.verdict AND NEW.digest = OLD.digest
            AND NEW.confirmed_at = OLD.confirmed_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a batch stays as it was confirmed: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_approvalbatch_final BEFORE UPDATE OR DELETE ON approvals_approvalbatch
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_batch();
CREATE FUNCTION approvals_guard_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state <> 'decided' AND NEW.batch_id = OLD.batch_id
        AND NEW.request_id = OLD.request_id AND NEW.digest = OLD.digest AND (NEW.opening = OLD.opening OR OLD.opening = '')
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an item of a batch stays as it was shown: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_batchitem_final BEFORE UPDATE OR DELETE ON approvals_batchitem
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_item();
CREATE FUNCTION approvals_guard_opened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what somebody has looked at stays so: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER approvals_openedrequest_final BEFORE UPDATE OR DELETE ON approvals_openedrequest
    FOR EACH ROW EXECUTE FUNCTION approvals_guard_opened();
"""
UNGUARD = """
DROP TRIGGER approvals_openedrequest_final ON approvals_openedrequest;
DROP TRIGGER approvals_batchitem_final ON approvals_batchitem;
DROP TRIGGER approvals_approvalbatch_final ON approvals_approvalbatch;
DROP TRIGGER approvals_samplingrule_governed ON approvals_samplingrule;
DROP FUNCTION approvals_guard_opened(), approvals_guard_item(), approvals_guard_batch(), approvals_guard_sampling();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0009_deputies'),
        ('identities', '0012_single_sign_on'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ApprovalBatch',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('verdict', models.CharField(choices=[('approve', 'Approve'), ('deny', 'Deny')], max_length=8)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('confirmed', 'Confirmed'), ('done', 'Done')], default='draft', max_length=16)),
                ('channel', models.CharField(blank=True, choices=[('console', 'Console'), ('api', 'Api'), ('terminal', 'Terminal')], max_length=10)),
                ('digest', models.CharField(blank=True, help_text='Of the list that was confirmed.', max_length=64)),
                ('reason', models.TextField(blank=True, help_text='Kept until all are decided; then each entry holds it.')),
                ('created_at', models.DateTimeField()),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('done_at', models.DateTimeField(null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='batches', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'approval batches',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='BatchItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(help_text='Of the call that the person was shown.', max_length=64)),
                ('group', models.CharField(blank=True, help_text='Names the tool and the template.', max_length=64)),
                ('opening', models.CharField(blank=True, choices=[('', 'with the others, once the sample is opened'), ('drawn', 'drawn: it is opened by itself'), ('each', 'no sample is enough: it is opened by itself')], default='', max_length=5)),
                ('state', models.CharField(choices=[('ready', 'Ready'), ('excluded', 'Excluded'), ('left_out', 'Left Out'), ('decided', 'Decided')], default='ready', max_length=10)),
                ('code', models.CharField(blank=True, help_text='Why it is excluded.', max_length=48)),
                ('detail', models.TextField(blank=True)),
                ('outcome', models.CharField(blank=True, help_text='What the request is since.', max_length=16)),
                ('batch', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='approvals.approvalbatch')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='batch_items', to='approvals.approvalrequest')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='OpenedRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.CharField(max_length=64)),
                ('opened_at', models.DateTimeField()),
                ('person', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='opened', to='approvals.approvalrequest')),
            ],
        ),
        migrations.CreateModel(
            name='SamplingRule',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('effect', models.CharField(choices=[('read', 'Read'), ('reversible', 'Reversible'), ('irreversible', 'Irreversible')], max_length=16)),
                ('max_amount', models.DecimalField(decimal_places=4, help_text='Each moves less than this, or nothing.', max_digits=20, null=True)),
                ('currency', models.CharField(blank=True, max_length=8)),
                ('at_least', models.PositiveSmallIntegerField(help_text="So many are opened, whatever the group's size.")),
                ('percent', models.PositiveSmallIntegerField(help_text='Or this share of the group, whichever is more.')),
                ('seed', models.CharField(help_text='Which ones follows from this and their ids alone.', max_length=32)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='sampling_rules', to='identities.team')),
            ],
            options={
                'ordering': ['team', 'effect'],
            },
        ),
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40)),
                ('query', models.CharField(blank=True, max_length=400)),
                ('is_default', models.BooleanField(default=False)),
                ('person', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='inbox_views', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.AddIndex(
            model_name='approvalbatch',
            index=models.Index(condition=models.Q(('state', 'confirmed')), fields=['confirmed_at'], name='batch_unfinished'),
        ),
        migrations.AddConstraint(
            model_name='batchitem',
            constraint=models.UniqueConstraint(fields=('batch', 'request'), name='batch_holds_a_request_once'),
        ),
        migrations.AddConstraint(
            model_name='openedrequest',
            constraint=models.UniqueConstraint(fields=('person', 'request', 'digest'), name='opened_once'),
        ),
        migrations.AddConstraint(
            model_name='samplingrule',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('team', 'effect'), name='sampling_rule_one_per_effect'),
        ),
        migrations.AddConstraint(
            model_name='samplingrule',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('currency', ''), ('max_amount', None)), models.Q(('max_amount__gt', 0), models.Q(('currency', ''), _negated=True)), _connector='OR'), name='sampling_amount_has_currency'),
        ),
        migrations.AddConstraint(
            model_name='samplingrule',
            constraint=models.CheckConstraint(condition=models.Q(('at_least__gte', 1), ('percent__lte', 100)), name='sampling_opens_something'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(fields=('person', 'name'), name='inbox_view_name_once'),
        ),
        migrations.AddConstraint(
            model_name='savedview',
            constraint=models.UniqueConstraint(condition=models.Q(('is_default', True)), fields=('person',), name='inbox_view_one_default'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
