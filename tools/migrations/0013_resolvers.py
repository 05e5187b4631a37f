"""Let tools say how their arguments are looked up; to look up otherwise, or from older lists, takes two people."""

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


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0011_provenance")]
    operations: ClassVar = [
        migrations.AddField(
            "toolversion",
            "resolvers",
            models.JSONField(
                blank=True,
                default=dict,
                help_text='Arguments that are looked up: {"order_id": {"tool": …, "query": …, "items": …, "value": …}}.',
            ),
        ),
        migrations.RunSQL(COMPARED.format(also=RESOLVED), COMPARED.format(also="")),
    ]
