"""Changes of what governs, and their guards in the database.

A proposal is born waiting and decided once, by somebody other than its maker. It counts in the one transaction that
activates it, for the row that it describes: ``identities_may_write`` is what the guards of governed tables ask.
"""
import agentops.identifiers
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARD = """
CREATE FUNCTION identities_guard_proposal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decided identities_changeproposal;
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state = 'waiting' AND NEW.checker_id IS NULL AND NEW.decided_at IS NULL
        AND identities_is_person(NEW.maker_id) THEN
        NEW.activated_in := NULL;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.state = 'waiting' AND NEW.state <> 'waiting' THEN
        NEW.activated_in := CASE NEW.state WHEN 'activated' THEN pg_current_xact_id()::text::bigint END;
        decided := OLD;
        decided.state := NEW.state;
        decided.checker_id := NEW.checker_id;
        decided.decided_at := NEW.decided_at;
        decided.answer := NEW.answer;
        decided.activated_in := NEW.activated_in;
        IF NEW IS NOT DISTINCT FROM decided AND (NEW.state <> 'activated'
            OR identities_is_person(NEW.checker_id) AND OLD.expires_at > clock_timestamp()) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'change proposal %: % refused', coalesce(OLD.id, NEW.id), TG_OP USING ERRCODE = '42501';
END $$;
CREATE FUNCTION identities_is_person(account uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM identities_user WHERE id = account AND kind = 'person' AND is_active)
$$;
CREATE TRIGGER identities_changeproposal_decided_once BEFORE INSERT OR UPDATE OR DELETE ON identities_changeproposal
    FOR EACH ROW EXECUTE FUNCTION identities_guard_proposal();

CREATE FUNCTION identities_change_needs(verb text, team uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT needs FROM identities_changerule r
        WHERE r.verb = $1 AND (r.team_id = $2 OR r.team_id IS NULL) ORDER BY r.team_id NULLS LAST LIMIT 1),
        'two_to_loosen')
$$;
-- Whether this row may be written: one person may, or two signed this change of this subject with this transaction.
CREATE FUNCTION identities_may_write(verb text, subject text, team uuid, loosens boolean, written anyelement)
RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT CASE identities_change_needs($1, $3)
            WHEN 'one' THEN true WHEN 'two_to_loosen' THEN NOT coalesce($4, true) ELSE false END
        OR EXISTS (SELECT FROM identities_changeproposal p WHERE p.verb = $1 AND p.subject = $2
            AND p.state = 'activated' AND p.activated_in = pg_current_xact_id()::text::bigint
            AND jsonb_populate_record($5, p.after) IS NOT DISTINCT FROM $5)
$$;

CREATE FUNCTION identities_guard_rule() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    laxest_first text[] := ARRAY['one', 'two_to_loosen', 'two'];
    before text;
BEGIN
    IF TG_OP <> 'DELETE' AND (NEW.needs <> 'one' OR NEW.verb NOT IN ('rule.set', 'grant.waive')) THEN
        before := CASE TG_OP WHEN 'UPDATE' THEN OLD.needs ELSE identities_change_needs(NEW.verb, NEW.team_id) END;
        IF (TG_OP = 'INSERT' OR OLD.verb = NEW.verb AND OLD.team_id IS NOT DISTINCT FROM NEW.team_id)
            AND identities_may_write('rule.set', NEW.verb || ':' || coalesce(NEW.team_id::text, ''), NEW.team_id,
                array_position(laxest_first, NEW.needs::text) < array_position(laxest_first, before), NEW) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a change rule takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_changerule_governed BEFORE INSERT OR UPDATE OR DELETE ON identities_changerule
    FOR EACH ROW EXECUTE FUNCTION identities_guard_rule();

-- What an agent may do was signed when it was granted, so that it begins takes two only where a rule says so.
CREATE FUNCTION identities_guard_activation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'active' OR TG_OP = 'UPDATE' AND OLD.state = 'active'
            AND (coalesce(OLD.expires_at > now(), true) OR NEW.expires_at <= now())
        OR identities_may_write('agent.activate', NEW.id::text, NEW.team_id, false, NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'to let an agent act takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_agentidentity_governed BEFORE INSERT OR UPDATE OF state, expires_at ON identities_agentidentity
    FOR EACH ROW EXECUTE FUNCTION identities_guard_activation();

-- An owner decides about nothing that the agent does, so nobody gets rid of that alone.
CREATE FUNCTION identities_guard_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.owner_id = OLD.owner_id OR identities_may_write('agent.hand_over', NEW.id::text, NEW.team_id,
        identities_is_person(OLD.owner_id), NEW) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'another owner takes a second person: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_agentidentity_owned BEFORE UPDATE OF owner_id ON identities_agentidentity
    FOR EACH ROW EXECUTE FUNCTION identities_guard_owner();
"""
UNGUARD = """
DROP TRIGGER identities_agentidentity_governed ON identities_agentidentity;
DROP TRIGGER identities_agentidentity_owned ON identities_agentidentity;
DROP TRIGGER identities_changerule_governed ON identities_changerule;
DROP TRIGGER identities_changeproposal_decided_once ON identities_changeproposal;
DROP FUNCTION identities_guard_owner(), identities_guard_activation(), identities_guard_rule(), identities_guard_proposal(), identities_is_person(uuid),
    identities_may_write(text, text, uuid, boolean, anyelement), identities_change_needs(text, uuid);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0010_sponsors'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChangeProposal',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('verb', models.CharField(max_length=40)),
                ('subject', models.CharField(help_text='Names what changes, alike here and in the guards.', max_length=200)),
                ('permission', models.CharField(help_text='What both people have to hold.', max_length=100)),
                ('title', models.CharField(max_length=300)),
                ('arguments', models.JSONField()),
                ('before', models.JSONField(help_text='How it stood when it was proposed; null: there was nothing.', null=True)),
                ('after', models.JSONField(help_text='What the row will hold; the guards compare it.')),
                ('loosening', models.JSONField(default=list, help_text='The fields that move a guardrail further off.')),
                ('undo', models.JSONField(help_text='The arguments that bring back what was before.', null=True)),
                ('reason', models.TextField(blank=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('activated', 'Activated'), ('rejected', 'Rejected'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired'), ('outdated', 'Outdated')], default='waiting', max_length=16)),
                ('decided_at', models.DateTimeField(null=True)),
                ('answer', models.TextField(blank=True, help_text='Why it was rejected or withdrawn.')),
                ('activated_in', models.BigIntegerField(editable=False, null=True)),
                ('checker', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('maker', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('rolls_back', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.changeproposal')),
                ('team', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team')),
            ],
            options={
                'ordering': ['-created_at'],
                'default_permissions': ('view',),
                'indexes': [models.Index(fields=['verb', 'subject'], name='change_of_subject'), models.Index(condition=models.Q(('state', 'waiting')), fields=['expires_at'], name='change_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('checker', None), models.Q(('checker', models.F('maker')), _negated=True), _connector='OR'), name='change_maker_is_not_checker'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'activated'), _negated=True), models.Q(('checker__isnull', False), ('decided_at__isnull', False)), _connector='OR'), name='change_activated_by_somebody')],
            },
        ),
        migrations.CreateModel(
            name='ChangeRule',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('verb', models.CharField(max_length=40)),
                ('needs', models.CharField(choices=[('one', 'one person'), ('two_to_loosen', 'two people for what loosens, one for what tightens'), ('two', 'two people')], max_length=16)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('team', models.ForeignKey(blank=True, help_text='Empty: for all teams that have no rule of their own.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team')),
            ],
            options={
                'ordering': ['verb'],
                'constraints': [models.UniqueConstraint(fields=('verb', 'team'), name='change_rule_once_per_scope', nulls_distinct=False), models.CheckConstraint(condition=models.Q(('needs__in', ['one', 'two_to_loosen', 'two'])), name='change_rule_needs_known')],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
