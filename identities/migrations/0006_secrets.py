"""Secrets and their leases. Of a secret only value, state and times change, and the value only with its version.

What a secret is for is part of what people approve, so it stays; wrapping a value anew leaves its box as it is.
"""

import agentops.identifiers
import django.db.models.deletion
from django.db import migrations, models

GUARD = """
CREATE FUNCTION identities_guard_secret() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    allowed identities_secret := OLD;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        allowed.purpose := NEW.purpose;
        allowed.state := NEW.state;
        allowed.rotated_at := NEW.rotated_at;
        allowed.expires_at := NEW.expires_at;
        allowed.last_used_at := NEW.last_used_at;
        IF NEW.version = OLD.version + 1 THEN
            allowed.version := NEW.version;
            allowed.sealed_value := NEW.sealed_value;
        ELSIF split_part(NEW.sealed_value, '.', 5) = split_part(OLD.sealed_value, '.', 5) THEN
            allowed.sealed_value := NEW.sealed_value;
        END IF;
        IF NEW IS NOT DISTINCT FROM allowed AND (OLD.state = 'active' OR NEW.state = OLD.state) THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'secret % is changed by its services only: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER identities_secret_guarded BEFORE UPDATE OR DELETE ON identities_secret
    FOR EACH ROW EXECUTE FUNCTION identities_guard_secret();
"""
UNGUARD = """
DROP TRIGGER identities_secret_guarded ON identities_secret;
DROP FUNCTION identities_guard_secret();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("identities", "0005_kill_switches"),
    ]

    operations = [
        migrations.CreateModel(
            name='Secret',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(help_text="What a tool's configuration names as its credential.", max_length=64)),
                ('purpose', models.TextField()),
                ('provider', models.CharField(choices=[('static', 'handed out as it is'), ('oauth', "a token for each call, from the target's token endpoint"), ('postgres', 'a database role for each call')], max_length=16)),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('sealed_value', models.TextField(blank=True, editable=False)),
                ('version', models.PositiveIntegerField(default=0, editable=False, help_text='0: there is no value yet.')),
                ('state', models.CharField(choices=[('active', 'Active'), ('retired', 'Retired')], default='active', max_length=16)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('rotated_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='secrets', to='identities.team')),
            ],
            options={
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='SecretLease',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('run_id', models.UUIDField()),
                ('tool_id', models.UUIDField()),
                ('call_key', models.CharField(max_length=120)),
                ('state', models.CharField(choices=[('issued', 'Issued'), ('ended', 'Ended'), ('revoking', 'Revoking'), ('revoke_failed', 'Revoke Failed')], default='issued', max_length=16)),
                ('sealed_handle', models.TextField(blank=True, editable=False)),
                ('issued_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('end_attempts', models.PositiveIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(help_text='When an end that failed is tried again.', null=True)),
                ('trouble', models.CharField(blank=True, max_length=200)),
                ('identity', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.agentidentity')),
                ('secret', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='leases', to='identities.secret')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='secret',
            constraint=models.UniqueConstraint(fields=('team', 'slug'), name='secret_slug_once_per_team'),
        ),
        migrations.AddConstraint(
            model_name='secret',
            constraint=models.CheckConstraint(condition=models.Q(('purpose', ''), _negated=True), name='secret_has_purpose'),
        ),
        migrations.AddConstraint(
            model_name='secret',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed_value', ''), ('version', 0)), ('version__gt', 0), _connector='OR'), name='secret_value_has_version'),
        ),
        migrations.AddIndex(
            model_name='secretlease',
            index=models.Index(condition=models.Q(('state', 'ended'), _negated=True), fields=['expires_at'], name='lease_not_ended'),
        ),
        migrations.AddIndex(
            model_name='secretlease',
            index=models.Index(condition=models.Q(('state', 'revoke_failed')), fields=['identity', 'tool_id'], name='lease_blocks_grant'),
        ),
        migrations.AddConstraint(
            model_name='secretlease',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', False), ('state', 'ended')), models.Q(('ended_at', None), ('state__in', ['issued', 'revoking', 'revoke_failed'])), _connector='OR'), name='lease_state_known'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
