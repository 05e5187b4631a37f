"""Let people claim and close conversations, and let runs ask to go on at a limit; to let them more often takes two."""

from importlib import import_module

import agentops.identifiers
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

plans = import_module("runs.migrations.0012_plans")
# Compared only where there was a version before, like the limits themselves.
MORE_OFTEN = """        OR before.max_extensions IS NOT NULL AND (NEW.max_extensions > before.max_extensions
            OR NEW.extension_percent > before.extension_percent)
"""


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0013_key_issuers'),
        ('runs', '0020_change_sets'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Extension',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('limit', models.CharField(help_text='Which limit was reached.', max_length=16)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('granted', 'Granted'), ('refused', 'Refused'), ('expired', 'Expired'), ('voided', 'Voided')], default='waiting', max_length=16)),
                ('most_steps', models.PositiveIntegerField()),
                ('most_tokens', models.PositiveIntegerField()),
                ('most_usd', models.DecimalField(decimal_places=4, max_digits=12)),
                ('most_seconds', models.PositiveIntegerField()),
                ('steps', models.PositiveIntegerField(null=True)),
                ('tokens', models.PositiveIntegerField(null=True)),
                ('usd', models.DecimalField(decimal_places=4, max_digits=12, null=True)),
                ('seconds', models.PositiveIntegerField(null=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['created_at'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AlterModelOptions(
            name='run',
            options={'ordering': ['-id'], 'permissions': [('control_run', 'Can pause, resume and cancel runs'), ('settle_outcome', 'Can settle a call whose outcome is unknown'), ('answer_handover', 'Can answer a conversation handed over by an agent'), ('extend_budget', 'Can let a run go on beyond a limit of its own'), ('veto_call', 'Can veto a call that is held before it goes out')]},
        ),
        migrations.AddField(
            model_name='agentversion',
            name='extension_percent',
            field=models.PositiveSmallIntegerField(db_default=50, default=50, help_text='The most that is granted at a time, as a share of each limit.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(100)]),
        ),
        migrations.AddField(
            model_name='agentversion',
            name='extension_ttl_s',
            field=models.PositiveIntegerField(db_default=3600, default=3600, help_text='For so long people may decide; then it halts.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(604800)]),
        ),
        migrations.AddField(
            model_name='agentversion',
            name='max_extensions',
            field=models.PositiveSmallIntegerField(db_default=0, default=0, help_text='So often a run may ask for more at a limit; 0: it halts.', validators=[django.core.validators.MaxValueValidator(10)]),
        ),
        migrations.AddField(
            model_name='handover',
            name='claimed_at',
            field=models.DateTimeField(help_text='Since when; a claim lapses by itself.', null=True),
        ),
        migrations.AddField(
            model_name='handover',
            name='claimed_by',
            field=models.ForeignKey(db_index=False, help_text='Who is answering it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='handover',
            name='outcome',
            field=models.CharField(blank=True, choices=[('given_back', 'given back to the agent'), ('resolved', 'resolved'), ('declined', 'declined'), ('elsewhere', 'taken care of elsewhere')], db_default='', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='handover',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('claimed_at', None), ('claimed_by', None)), models.Q(('claimed_at__isnull', False), ('claimed_by__isnull', False)), _connector='OR'), name='handover_claimed_since_when'),
        ),
        migrations.AddField(
            model_name='extension',
            name='decided_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='extension',
            name='identity',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.agentidentity'),
        ),
        migrations.AddField(
            model_name='extension',
            name='owner',
            field=models.ForeignKey(db_index=False, help_text='Who owned the agent when it asked; a change of owner since frees nobody to decide.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='extension',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='extensions', to='runs.run'),
        ),
        migrations.AddField(
            model_name='extension',
            name='team',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team'),
        ),
        migrations.AddIndex(
            model_name='extension',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['expires_at'], name='extension_waiting'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'waiting')), fields=('run',), name='extension_one_open_per_run'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'granted'), _negated=True), models.Q(('decided_by__isnull', False), ('steps__isnull', False), ('tokens__isnull', False), ('seconds__isnull', False), ('usd__isnull', False)), _connector='OR'), name='extension_granted_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.CheckConstraint(condition=models.Q(('steps', None), models.Q(('steps__lte', models.F('most_steps')), ('tokens__lte', models.F('most_tokens')), ('seconds__lte', models.F('most_seconds')), ('usd__lte', models.F('most_usd'))), _connector='OR'), name='extension_within_its_bound'),
        ),
        migrations.RunSQL(
            plans.GUARD.format(also=plans.PLANS + MORE_OFTEN), plans.GUARD.format(also=plans.PLANS)
        ),
    ]
