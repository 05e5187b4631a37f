"""What a run is started within, which the database keeps from being changed afterwards."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# It is asked only of statements that name one of these columns; a driver's never do.
GUARD = """
CREATE FUNCTION runs_guard_bounds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.parent_id, NEW.line, NEW.limits, NEW.proof, NEW.credential_id)
        IS DISTINCT FROM (OLD.parent_id, OLD.line, OLD.limits, OLD.proof, OLD.credential_id) THEN
        RAISE EXCEPTION 'run %: what it was started within does not change', OLD.id USING ERRCODE = '42501';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runs_run_bounds BEFORE UPDATE OF parent_id, line, limits, proof, credential_id ON runs_run
    FOR EACH ROW EXECUTE FUNCTION runs_guard_bounds();
"""
UNGUARD = """
DROP TRIGGER runs_run_bounds ON runs_run;
DROP FUNCTION runs_guard_bounds();
"""


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('identities', '0008_credential_switch'),
        ('runs', '0008_stops'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name='run',
            name='limits',
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name='run',
            name='line',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name='run',
            name='parent',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='runs.run'),
        ),
        migrations.AddField(
            model_name='run',
            name='proof',
            field=models.CharField(blank=True, choices=[('token', "a verified token of the user's"), ('asserted', 'the word of an application that is trusted to name users'), ('staff', 'the session or key of a member of staff')], db_default='', help_text='How it is known for whom the run acts. Empty: it began before that was kept.', max_length=16),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(condition=models.Q(('parent__isnull', False)), fields=['parent'], name='run_by_parent'),
        ),
        migrations.AddField(
            model_name='run',
            name='credential',
            field=models.ForeignKey(db_constraint=False, db_index=False, help_text='The API key with which it was started, if with one.', null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='identities.apikey'),
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
