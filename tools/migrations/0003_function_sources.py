"""Let a module of this installation be a source of tools."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tools', '0002_guards'),
    ]

    operations = [
        migrations.AddField(
            model_name='toolserver',
            name='module',
            field=models.CharField(blank=True, db_default='', default='', help_text='A module that the operator allows in TOOLS_PYTHON_MODULES.', max_length=200),
        ),
        migrations.AlterField(
            model_name='toolserver',
            name='transport',
            field=models.CharField(choices=[('http', 'streamable HTTP'), ('stdio', 'a command on our own hosts'), ('openapi', 'an interface with an OpenAPI document'), ('python', 'functions of a module of this installation')], max_length=8),
        ),
    ]
