"""A window in which people may veto a call, as a term of a grant; to make it shorter loosens."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

_LOOSENS = """
CREATE OR REPLACE FUNCTION tools_grant_loosens(before tools_toolgrant, after tools_toolgrant) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT after.decision <> 'DENY' AND coalesce(before.state = 'revoked' OR before.decision = 'DENY'
        OR array_position(strictest_first, after.decision::text)
            > array_position(strictest_first, before.decision::text)
        OR after.over_caps <> 'DENY' AND before.over_caps = 'DENY'
        OR after.approval_ttl_s > before.approval_ttl_s
        OR before.valid_until IS NOT NULL
            AND (after.valid_until IS NULL OR after.valid_until > before.valid_until)
        OR before.policy_table_id IS NOT NULL
            AND after.policy_table_id IS DISTINCT FROM before.policy_table_id{more}
        OR NOT tools_keeps_caps(before.caps, after.caps), true)
    FROM (SELECT ARRAY['DENY', 'REQUIRE_APPROVAL', 'ALLOW_WITH_CAPS', 'ALLOW'] AS strictest_first) AS ordered
$$;
"""
# Terms of end users, which are compared as grants are, have no window.
_SHORTER = "\n        OR coalesce(after.veto_s, 0) < coalesce(before.veto_s, 0)"


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0015_own_concurrency")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="toolgrant",
            name="veto_s",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="For so many seconds a call with an effect is held before it goes out, for people to veto it.",
            ),
        ),
        migrations.RunSQL(_LOOSENS.format(more=_SHORTER), _LOOSENS.format(more="")),
    ]
