from pathlib import Path

import django.db.models.deletion
import runs.models.memory
from django.db import migrations, models

FOLLOW = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
UNFOLLOW = "DROP TRIGGER runs_memory_has_vector ON runs_memory; DROP FUNCTION runs_follow_memory();"


class Migration(migrations.Migration):

    dependencies = [
        ('runs', '0014_evaluation'),
    ]

    operations = [
        migrations.CreateModel(
            name='MemoryVector',
            fields=[
                ('memory', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='vector', serialize=False, to='runs.memory')),
                ('model', models.CharField(blank=True, db_default='', default='', max_length=120)),
                ('dimension', models.PositiveIntegerField(db_default=0, default=0)),
                ('numbers', runs.models.memory.Reals(null=True)),
                ('attempts', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('code', models.CharField(blank=True, db_default='', default='', max_length=48)),
                ('due_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'runs_memoryvector',
                'indexes': [models.Index(models.F('due_at'), condition=models.Q(('due_at', None), _negated=True), name='memory_vector_due'), models.Index(models.F('model'), condition=models.Q(('numbers', None), _negated=True), name='memory_vector_by_model')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('dimension', 0), ('numbers', None)), models.Q(('dimension__gt', 0), models.Q(('numbers', None), _negated=True), models.Q(('model', ''), _negated=True)), _connector='OR'), name='memory_vector_has_its_model')],
            },
        ),
        migrations.RunSQL(FOLLOW, UNFOLLOW),
    ]
