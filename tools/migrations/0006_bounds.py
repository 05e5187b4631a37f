"""Terms of end users, of which the database refuses any change but their end: approvals are bound to them."""

from __future__ import annotations

from typing import ClassVar

import agentops.identifiers
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

GUARD = """
CREATE FUNCTION tools_guard_user_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended tools_userterms;
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL THEN
        ended := OLD;
        ended.ended_at := NEW.ended_at;
        IF NEW IS NOT DISTINCT FROM ended THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'terms % are immutable: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_userterms_immutable BEFORE UPDATE OR DELETE ON tools_userterms
    FOR EACH ROW EXECUTE FUNCTION tools_guard_user_terms();
"""
UNGUARD = """
DROP TRIGGER tools_userterms_immutable ON tools_userterms;
DROP FUNCTION tools_guard_user_terms();
"""


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('identities', '0007_tokens'),
        ('tools', '0005_effects_are_looked_up_by_key'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name='capusage',
            name='window',
            field=models.CharField(help_text='run:<id>, hour:<start>, day:<start>; of one end user: day:<start>@<id>', max_length=64),
        ),
        migrations.CreateModel(
            name='UserTerms',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('decision', models.CharField(choices=[('ALLOW', 'Allow'), ('ALLOW_WITH_CAPS', 'Allow With Caps'), ('REQUIRE_APPROVAL', 'Require Approval'), ('DENY', 'Deny')], max_length=20)),
                ('caps', models.JSONField(blank=True, default=list, help_text='List of {"per": call|hour|day|month, "count": n, "amount": "0.00"}, for each of them.')),
                ('over_caps', models.CharField(choices=[('DENY', 'deny'), ('REQUIRE_APPROVAL', 'ask a person')], default='DENY', max_length=20)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(editable=False, null=True)),
                ('created_by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('principal', models.ForeignKey(blank=True, help_text='None: every end user.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.principal')),
                ('tool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='user_terms', to='tools.tool')),
            ],
            options={
                'verbose_name': 'terms of an end user',
                'verbose_name_plural': 'terms of end users',
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('tool', 'principal'), name='user_terms_once_per_tool', nulls_distinct=False)],
            },
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
