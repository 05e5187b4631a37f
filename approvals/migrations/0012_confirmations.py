"""What end users are asked to confirm through their applications."""

import agentops.identifiers
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0011_final_requests'),
        ('identities', '0013_key_issuers'),
        ('tools', '0019_confirmation'),
    ]

    operations = [
        migrations.CreateModel(
            name='Confirmation',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('subject_ref', models.CharField(db_index=True, max_length=80)),
                ('wake_task', models.CharField(help_text='The task that is told of the answer.', max_length=80)),
                ('key', models.CharField(help_text='The idempotency key of the one call it covers.', max_length=120)),
                ('digest', models.CharField(help_text='Of the call as approvers sign it: version, arguments, terms, state.', max_length=64)),
                ('effect', models.CharField(max_length=16)),
                ('amount', models.DecimalField(decimal_places=4, max_digits=20, null=True)),
                ('currency', models.CharField(blank=True, max_length=8)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('confirmed', 'Confirmed'), ('refused', 'Refused'), ('expired', 'Expired'), ('voided', 'Voided')], default='waiting', max_length=16)),
                ('proof', models.CharField(blank=True, choices=[('token', "a verified token of the user's"), ('asserted', 'the word of an application that is trusted to name users')], help_text='How it is known that the user has answered.', max_length=16)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('good_for_s', models.PositiveIntegerField(help_text='For so long after the answer it may be used.')),
                ('decided_at', models.DateTimeField(null=True)),
                ('consumed_at', models.DateTimeField(null=True)),
                ('application', models.ForeignKey(help_text='Through which the user is asked.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.application')),
                ('identity', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.agentidentity')),
                ('principal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.principal')),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team')),
                ('tool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tools.tool')),
                ('tool_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tools.toolversion')),
            ],
            options={
                'ordering': ['-id'],
                'default_permissions': ('view',),
                'indexes': [models.Index(condition=models.Q(('state', 'waiting')), fields=['expires_at'], name='confirmation_waiting')],
                'constraints': [models.CheckConstraint(condition=models.Q(('consumed_at', None), ('state', 'confirmed'), _connector='OR'), name='confirmation_consumed_only_when_given'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'confirmed'), _negated=True), models.Q(('decided_at__isnull', False), models.Q(('proof', ''), _negated=True)), _connector='OR'), name='confirmation_given_by_somebody_known'), models.UniqueConstraint(condition=models.Q(('state__in', ['waiting', 'confirmed'])), fields=('key',), name='confirmation_one_open_per_call')],
            },
        ),
    ]
