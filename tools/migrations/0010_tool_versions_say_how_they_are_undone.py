from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tools', '0009_decision_tables'),
    ]

    operations = [
        migrations.AddField(
            model_name='toolversion',
            name='undo',
            field=models.JSONField(blank=True, help_text='By which tool, with which arguments. None: nothing undoes it.', null=True),
        ),
    ]
