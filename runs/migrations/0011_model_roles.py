"""Let versions name models by what a call is for. The model that wrote summaries becomes the one of that role.

Its column stays in the table, and out of the models: workers of the release before read it until they are replaced.
"""

from __future__ import annotations

from typing import ClassVar

import django.core.validators
from django.db import migrations, models

import runs.models.versions

# Published versions do not change, and these do not: what they say is said in another place.
FOLD = """
ALTER TABLE runs_agentversion DISABLE TRIGGER runs_agentversion_immutable;
UPDATE runs_agentversion SET model_roles = jsonb_build_object('summarise', jsonb_build_array(summary_model))
WHERE summary_model <> '';
ALTER TABLE runs_agentversion ENABLE TRIGGER runs_agentversion_immutable;
"""
UNFOLD = """
ALTER TABLE runs_agentversion DISABLE TRIGGER runs_agentversion_immutable;
UPDATE runs_agentversion SET summary_model = coalesce(model_roles -> 'summarise' ->> 0, '');
ALTER TABLE runs_agentversion ENABLE TRIGGER runs_agentversion_immutable;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("runs", "0010_memory")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="agentversion",
            name="model_roles",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="Models by what a call is for (plan, execute, summarise), first choice first; else its own model.",
                validators=[runs.models.versions.check_model_roles],
            ),
        ),
        migrations.AddField(
            model_name="agentversion",
            name="escalate_invalid",
            field=models.PositiveSmallIntegerField(
                db_default=2,
                default=2,
                help_text="After so many steps in a row with calls that nobody could make; 0: never.",
            ),
        ),
        migrations.AddField(
            model_name="agentversion",
            name="escalate_failed",
            field=models.PositiveSmallIntegerField(
                db_default=3,
                default=3,
                help_text="After so many steps in a row whose calls failed; 0: never.",
            ),
        ),
        migrations.AddField(
            model_name="agentversion",
            name="demote_percent",
            field=models.PositiveSmallIntegerField(
                db_default=20,
                default=20,
                help_text="With less than this share of its tokens or USD left, the cheapest model is asked; 0: never.",
                validators=[django.core.validators.MaxValueValidator(100)],
            ),
        ),
        migrations.RunSQL(FOLD, UNFOLD),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="agentversion", name="summary_model")]
        ),
    ]
