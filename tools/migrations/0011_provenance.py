"""Let tools say whose their results are and which arguments matter; to say that otherwise takes two people."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

COMPARED = """
CREATE OR REPLACE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
        OR NOT after.bound @> before.bound{also}
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0010_tool_versions_say_how_they_are_undone")]
    operations: ClassVar = [
        migrations.AddField(
            "toolversion",
            "provenance",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="Which arguments matter, whose the results are, and how users ask for it.",
            ),
        ),
        migrations.RunSQL(
            COMPARED.format(also="\n        OR after.provenance <> before.provenance"), COMPARED.format(also="")
        ),
    ]
