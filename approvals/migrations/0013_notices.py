"""Notices: channels, what people want to hear by e-mail, what happened, and the deliveries of it."""


import agentops.identifiers
import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0012_confirmations'),
        ('identities', '0013_key_issuers'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='MailPreference',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='mail_preference', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('address', models.EmailField(max_length=254)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None)),
            ],
        ),
        migrations.CreateModel(
            name='Notice',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(help_text='What happened: it is told once.', max_length=160, unique=True)),
                ('kind', models.CharField(max_length=40)),
                ('subject', models.UUIDField(help_text='Whose page tells more.', null=True)),
                ('facts', models.JSONField(default=dict)),
                ('at', models.DateTimeField()),
                ('spread_at', models.DateTimeField(help_text='When its deliveries were made out.', null=True)),
                ('application', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.application')),
                ('request', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='notices', to='approvals.approvalrequest')),
                ('team', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team')),
            ],
        ),
        migrations.CreateModel(
            name='NoticeChannel',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80)),
                ('kind', models.CharField(choices=[('webhook', 'a signed webhook (Standard Webhooks)'), ('slack', 'an incoming webhook of Slack'), ('teams', 'a workflow of Microsoft Teams that takes webhooks')], max_length=8)),
                ('host', models.CharField(help_text='Of its address, the rest of which is kept sealed.', max_length=255)),
                ('sealed_url', models.TextField(blank=True, editable=False)),
                ('sealed_secret', models.TextField(blank=True, editable=False)),
                ('sealed_former_secret', models.TextField(blank=True, editable=False)),
                ('former_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('kinds', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None)),
                ('allow_private', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('active', 'Active'), ('disabled', 'Disabled'), ('removed', 'Removed')], default='active', max_length=8)),
                ('disabled_because', models.CharField(blank=True, max_length=48)),
                ('failures', models.PositiveIntegerField(default=0, help_text='Attempts without a success since the last one.')),
                ('failing_since', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('application', models.ForeignKey(blank=True, help_text='It is told of its own runs only. Empty: the team is told of all of its.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='notice_channels', to='identities.application')),
                ('created_by', models.ForeignKey(editable=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notice_channels', to='identities.team')),
            ],
            options={
                'ordering': ['name', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='NoticeDelivery',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('letter', models.UUIDField(help_text='The e-mail that it went out with, the same whenever it is sent.', null=True)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sent', 'Sent'), ('dead', 'Dead'), ('dropped', 'Dropped')], default='waiting', max_length=8)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('due_at', models.DateTimeField()),
                ('lease_until', models.DateTimeField(null=True)),
                ('last_result', models.CharField(blank=True, help_text='A status, or a word for what went wrong.', max_length=48)),
                ('ended_at', models.DateTimeField(null=True)),
                ('channel', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='approvals.noticechannel')),
                ('notice', models.ForeignKey(help_text='None: a test.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='approvals.notice')),
                ('person', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'notice deliveries',
                'ordering': ['-created_at', '-pk'],
            },
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(condition=models.Q(('spread_at', None)), fields=['at'], name='notice_unspread'),
        ),
        migrations.AddIndex(
            model_name='notice',
            index=models.Index(fields=['at'], name='notice_at'),
        ),
        migrations.AddConstraint(
            model_name='noticechannel',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'removed'), _negated=True), fields=('team', 'name'), name='notice_channel_once_per_team'),
        ),
        migrations.AddConstraint(
            model_name='noticechannel',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('sealed_former_secret', ''), ('sealed_secret', ''), ('sealed_url', ''), ('state', 'removed')), models.Q(models.Q(('state', 'removed'), _negated=True), models.Q(('sealed_url', ''), _negated=True), models.Q(('kind', 'webhook'), ('sealed_secret', ''), _connector='XOR')), _connector='OR'), name='notice_channel_webhook_is_signed'),
        ),
        migrations.AddConstraint(
            model_name='noticechannel',
            constraint=models.CheckConstraint(condition=models.Q(('application', None), ('kind', 'webhook'), _connector='OR'), name='notice_channel_of_application_is_signed'),
        ),
        migrations.AddIndex(
            model_name='noticedelivery',
            index=models.Index(condition=models.Q(('state', 'waiting')), fields=['due_at'], name='notice_delivery_due'),
        ),
        migrations.AddIndex(
            model_name='noticedelivery',
            index=models.Index(fields=['person', '-created_at'], name='notice_delivery_of_person'),
        ),
        migrations.AddConstraint(
            model_name='noticedelivery',
            constraint=models.UniqueConstraint(condition=models.Q(('notice__isnull', False)), fields=('notice', 'channel', 'person'), name='notice_delivery_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='noticedelivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('channel__isnull', False), ('person', None)), models.Q(('channel', None), ('person__isnull', False)), _connector='OR'), name='notice_delivery_to_one'),
        ),
    ]
