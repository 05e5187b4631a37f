"""Let a grant say that the end user confirms each call; to take that away loosens."""

from importlib import import_module

from django.db import migrations, models

before = import_module("tools.migrations.0016_veto_windows")
_UNASKED = "\n        OR coalesce(before.confirmation, false) AND NOT coalesce(after.confirmation, false)"


class Migration(migrations.Migration):

    dependencies = [
        ('tools', '0018_previews'),
    ]

    operations = [
        migrations.AddField(
            model_name='toolgrant',
            name='confirmation',
            field=models.BooleanField(db_default=False, default=False, help_text='The end user confirms each call, through their application, before it goes out.'),
        ),
        migrations.RunSQL(
            before._LOOSENS.format(more=before._SHORTER + _UNASKED), before._LOOSENS.format(more=before._SHORTER)
        ),
    ]
