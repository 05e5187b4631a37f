"""A kill switch for whatever was started with one API key."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('identities', '0007_tokens'),
    ]

    operations: ClassVar = [
        migrations.RemoveConstraint(
            model_name='killswitch',
            name='kill_switch_names_its_target',
        ),
        migrations.AlterField(
            model_name='killswitch',
            name='scope',
            field=models.CharField(choices=[('everything', 'Everything'), ('principal', 'end user'), ('provider', 'model provider'), ('credential', 'API key')], max_length=16),
        ),
        migrations.AlterField(
            model_name='killswitch',
            name='target',
            field=models.CharField(blank=True, help_text="The id of the end user or key here, or the provider's name; empty for everything.", max_length=64),
        ),
        migrations.AlterField(
            model_name='killswitch',
            name='team',
            field=models.ForeignKey(help_text="The team of the end user, or of the key's application.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='identities.team'),
        ),
        migrations.AddConstraint(
            model_name='killswitch',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('scope', 'everything'), ('target', '')), models.Q(('scope__in', ['principal', 'provider', 'credential']), models.Q(('target', ''), _negated=True)), _connector='OR'), name='kill_switch_names_its_target'),
        ),
    ]
