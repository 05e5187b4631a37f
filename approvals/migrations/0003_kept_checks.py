"""What the last check of a batch found is kept, so that its page checks nothing."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0002_guards'),
        ('tools', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='BatchGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64)),
                ('number', models.PositiveIntegerField(help_text='The larger groups first.')),
                ('effect', models.CharField(choices=[('read', 'Read'), ('reversible', 'Reversible'), ('irreversible', 'Irreversible')], max_length=16)),
                ('count', models.PositiveIntegerField()),
                ('odd', models.PositiveIntegerField(help_text='So many of them are unusual.')),
                ('sums', models.JSONField(default=list)),
                ('constant', models.JSONField(default=list)),
                ('varying', models.JSONField(default=dict)),
            ],
            options={
                'ordering': ['number'],
            },
        ),
        migrations.AddField(
            model_name='approvalbatch',
            name='checked_at',
            field=models.DateTimeField(help_text='When its draft was last looked at, request by request.', null=True),
        ),
        migrations.AddField(
            model_name='approvalbatch',
            name='stood_in',
            field=models.JSONField(default=dict, help_text='How many are ready for the seat of each absence.'),
        ),
        migrations.AddField(
            model_name='approvalbatch',
            name='sums',
            field=models.JSONField(default=list, help_text='What all that is ready moves: amount and currency.'),
        ),
        migrations.AddField(
            model_name='batchitem',
            name='oddities',
            field=models.JSONField(default=list, help_text='What is unusual: code, leaf, words, weight; no values.'),
        ),
        migrations.AddField(
            model_name='batchitem',
            name='place',
            field=models.PositiveIntegerField(help_text='Among those of its group.', null=True),
        ),
        migrations.AlterField(
            model_name='approvalbatch',
            name='digest',
            field=models.CharField(blank=True, help_text='Of the list that the last check left ready; then of what was confirmed.', max_length=64),
        ),
        migrations.AddIndex(
            model_name='batchitem',
            index=models.Index(condition=models.Q(('state', 'ready')), fields=['batch', 'group', 'place'], name='batch_places'),
        ),
        migrations.AddField(
            model_name='batchgroup',
            name='batch',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='groups', to='approvals.approvalbatch'),
        ),
        migrations.AddField(
            model_name='batchgroup',
            name='tool',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tools.tool'),
        ),
        migrations.AddConstraint(
            model_name='batchgroup',
            constraint=models.UniqueConstraint(fields=('batch', 'number'), name='batch_group_number_once'),
        ),
    ]
