import agentops.identifiers
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('identities', '0011_changes'),
        ('tools', '0007_terms_take_two'),
    ]

    operations = [
        migrations.CreateModel(
            name='ToolServer',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=64)),
                ('transport', models.CharField(choices=[('http', 'streamable HTTP'), ('stdio', 'a command on our own hosts')], max_length=8)),
                ('url', models.CharField(blank=True, max_length=500)),
                ('command', models.CharField(blank=True, help_text="A name in the operator's MCP_COMMANDS.", max_length=64)),
                ('audience', models.CharField(blank=True, max_length=500)),
                ('credential', models.CharField(blank=True, help_text='The slug of a secret of the team.', max_length=64)),
                ('allow_private', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('active', 'Active'), ('retired', 'Retired')], default='active', max_length=16)),
                ('checked_at', models.DateTimeField(editable=False, null=True)),
                ('trouble', models.CharField(blank=True, editable=False, max_length=200)),
                ('latency_ms', models.PositiveIntegerField(editable=False, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('team', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tool_servers', to='identities.team')),
            ],
            options={
                'verbose_name': 'server of tools',
                'verbose_name_plural': 'servers of tools',
                'ordering': ['slug'],
            },
        ),
        migrations.CreateModel(
            name='ServerTool',
            fields=[
                ('id', models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=128)),
                ('described', models.JSONField()),
                ('digest', models.CharField(blank=True, max_length=64)),
                ('faults', models.JSONField(blank=True, default=list)),
                ('is_listed', models.BooleanField(default=True)),
                ('seen_at', models.DateTimeField()),
                ('accepted', models.JSONField(blank=True, null=True)),
                ('accepted_digest', models.CharField(blank=True, max_length=64)),
                ('tool', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='origins', to='tools.tool')),
                ('server', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='listed', to='tools.toolserver')),
            ],
            options={
                'verbose_name': 'tool of a server',
                'verbose_name_plural': 'tools of servers',
                'ordering': ['name'],
            },
        ),
        migrations.AddConstraint(
            model_name='toolserver',
            constraint=models.UniqueConstraint(fields=('team', 'slug'), name='tool_server_slug_once_per_team'),
        ),
        migrations.AddConstraint(
            model_name='servertool',
            constraint=models.UniqueConstraint(fields=('server', 'name'), name='server_tool_once_per_server'),
        ),
    ]
