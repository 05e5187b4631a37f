"""Let tools say how many calls of them may be under way at a time; to allow more takes two people."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

COMPARED = """
CREATE OR REPLACE FUNCTION tools_version_loosens(before tools_toolversion, after tools_toolversion) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_position(mildest_first, after.effect::text) < array_position(mildest_first, before.effect::text)
        OR after.adapter <> before.adapter OR after.config <> before.config
        OR after.amount_argument <> before.amount_argument OR after.currency <> before.currency
        OR NOT after.bound @> before.bound
        OR after.provenance <> before.provenance{also}
    FROM (SELECT ARRAY['read', 'reversible', 'irreversible'] AS mildest_first) AS ordered
$$;
"""
RESOLVED = """
        OR EXISTS (
            SELECT FROM jsonb_each(before.resolvers) AS b
            WHERE NOT coalesce((after.resolvers -> b.key) - 'fresh_s' = b.value - 'fresh_s'
                AND CASE WHEN b.value ? 'fresh_s' AND (after.resolvers -> b.key) ? 'fresh_s'
                    THEN (after.resolvers -> b.key -> 'fresh_s') <= (b.value -> 'fresh_s')
                    ELSE (b.value ? 'fresh_s') = ((after.resolvers -> b.key) ? 'fresh_s') END, false))"""
MORE = "\n        OR coalesce(after.max_concurrency, 32767) > coalesce(before.max_concurrency, 32767)"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0014_documents_and_overrides")]
    operations: ClassVar = [
        migrations.AddField(
            "toolversion",
            "max_concurrency",
            models.PositiveSmallIntegerField(
                blank=True,
                null=True,
                help_text="Calls of all runs that may be under way at a time. None: as many as come.",
            ),
        ),
        migrations.RunSQL(COMPARED.format(also=RESOLVED + MORE), COMPARED.format(also=RESOLVED)),
    ]
