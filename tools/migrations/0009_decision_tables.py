"""Decision tables, arguments that are bound to what one has decided, and grants that ask one.

The database refuses any change of a published version but its retirement, and a publication that takes a second
person and was not activated by one: a table decides about money, and nobody can tell a milder one from a stricter.
"""
import agentops.identifiers
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


GUARD = """
CREATE FUNCTION tools_guard_table_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_decisiontableversion;
    team uuid;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state = 'draft' THEN
            RETURN OLD;
        END IF;
    ELSIF NEW.state = 'draft' AND (TG_OP = 'INSERT' OR OLD.state = 'draft' AND OLD.table_id = NEW.table_id) THEN
        RETURN NEW;
    ELSIF NEW.state = 'published' AND (TG_OP = 'INSERT' OR OLD.state = 'draft' AND OLD.table_id = NEW.table_id) THEN
        team := (SELECT team_id FROM tools_decisiontable WHERE id = NEW.table_id);
        IF identities_may_write('decision_table.publish', NEW.table_id::text, team, true, NEW) THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'to publish this table takes a second person: % refused', TG_OP USING ERRCODE = '42501';
    ELSIF TG_OP = 'UPDATE' AND OLD.state = 'published' AND NEW.state = 'retired' THEN
        ended := OLD;
        ended.state := NEW.state;
        ended.retired_at := NEW.retired_at;
        IF NEW IS NOT DISTINCT FROM ended AND NEW.retired_at IS NOT NULL THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'a published decision table is immutable: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_decisiontableversion_governed BEFORE INSERT OR UPDATE OR DELETE ON tools_decisiontableversion
    FOR EACH ROW EXECUTE FUNCTION tools_guard_table_version();

-- A table that is named by its slug must not become another one.
CREATE FUNCTION tools_guard_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.team_id, NEW.slug) IS NOT DISTINCT FROM (OLD.id, OLD.team_id, OLD.slug) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'decision table % keeps its team and its slug: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_decisiontable_named BEFORE UPDATE ON tools_decisiontable
    FOR EACH ROW EXECUTE FUNCTION tools_guard_table();

-- As before, and: to ask another table, or none, loosens.
CREATE OR REPLACE FUNCTION tools_grant_loosens(before tools_toolgrant, after tools_toolgrant) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT after.decision <> 'DENY' AND coalesce(before.state = 'revoked' OR before.decision = 'DENY'
        OR array_position(strictest_first, after.decision::text)
            > array_position(strictest_first, before.decision::text)
        OR after.over_caps <> 'DENY' AND before.over_caps = 'DENY'
        OR after.approval_ttl_s > before.approval_ttl_s
        OR before.valid_until IS NOT NULL
            AND (after.valid_until IS NULL OR after.valid_until > before.valid_until)
        OR before.policy_table_id IS NOT NULL
            AND after.policy_table_id IS DISTINCT FROM before.policy_table_id
        OR NOT tools_keeps_caps(before.caps, after.caps), true)
    FROM (SELECT ARRAY['DENY', 'REQUIRE_APPROVAL', 'ALLOW_WITH_CAPS', 'ALLOW'] AS strictest_first) AS ordered
$$;
-- As before, and: a binding may be added or ask for more, it may not go.
CREATE OR REPLACE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
        OR NOT after.bound @> before.bound
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
"""
UNGUARD = """
CREATE OR REPLACE FUNCTION tools_grant_loosens(before tools_toolgrant, after tools_toolgrant) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT after.decision <> 'DENY' AND coalesce(before.state = 'revoked' OR before.decision = 'DENY'
        OR array_position(strictest_first, after.decision::text)
            > array_position(strictest_first, before.decision::text)
        OR after.over_caps <> 'DENY' AND before.over_caps = 'DENY'
        OR after.approval_ttl_s > before.approval_ttl_s
        OR before.valid_until IS NOT NULL
            AND (after.valid_until IS NULL OR after.valid_until > before.valid_until)
        OR NOT tools_keeps_caps(before.caps, after.caps), true)
    FROM (SELECT ARRAY['DENY', 'REQUIRE_APPROVAL', 'ALLOW_WITH_CAPS', 'ALLOW'] AS strictest_first) AS ordered
$$;
CREATE OR REPLACE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
DROP TRIGGER tools_decisiontable_named ON tools_decisiontable;
DROP TRIGGER tools_decisiontableversion_governed ON tools_decisiontableversion;
DROP FUNCTION tools_guard_table(), tools_guard_table_version();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0012_single_sign_on'),
        ('tools', '0008_servers_of_tools'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='toolversion',
            name='bound',
            field=models.JSONField(blank=True, default=dict, help_text='Arguments that a table decides: {"amount": {"tool": …, "output": …, "inputs": {input: argument}}}.'),
        ),
        migrations.CreateModel(
            name='DecisionTable',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=64)),
                ('name', models.CharField(max_length=120)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decision_tables', to='identities.team')),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.AddField(
            model_name='toolgrant',
            name='policy_table',
            field=models.ForeignKey(blank=True, help_text='A decision table that is asked about every call; the stricter of it and these terms counts.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='tools.decisiontable'),
        ),
        migrations.CreateModel(
            name='DecisionTableVersion',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('definition', models.JSONField()),
                ('source', models.TextField(blank=True, help_text='The DMN document that it was imported from.')),
                ('cases', models.JSONField(blank=True, default=list)),
                ('digest', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('published', 'Published'), ('retired', 'Retired')], default='draft', max_length=16)),
                ('effective_from', models.DateTimeField(blank=True, help_text='Empty: from its publication.', null=True)),
                ('effective_until', models.DateTimeField(blank=True, null=True)),
                ('acknowledgement', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('published_at', models.DateTimeField(editable=False, null=True)),
                ('retired_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('published_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('table', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='tools.decisiontable')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.AddConstraint(
            model_name='decisiontable',
            constraint=models.UniqueConstraint(fields=('team', 'slug'), name='decision_table_slug_once_per_team'),
        ),
        migrations.AddConstraint(
            model_name='decisiontableversion',
            constraint=models.UniqueConstraint(fields=('table', 'number'), name='decision_table_version_number_once'),
        ),
        migrations.AddConstraint(
            model_name='decisiontableversion',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('table',), name='decision_table_has_one_draft'),
        ),
        migrations.AddConstraint(
            model_name='decisiontableversion',
            constraint=models.CheckConstraint(condition=models.Q(('effective_until', None), ('effective_from', None), ('effective_until__gt', models.F('effective_from')), _connector='OR'), name='decision_table_version_ends_after_it_begins'),
        ),
        migrations.AddConstraint(
            model_name='decisiontableversion',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'draft'), ('published_at__isnull', False), _connector='OR'), name='decision_table_version_was_published'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
