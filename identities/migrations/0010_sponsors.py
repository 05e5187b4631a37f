"""Give agents a sponsor and a date by which somebody has to look at them again.

What a call is decided by stays `expires_at`: never later than the end that was set, nor than that date.
"""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def keep_ends(apps: StateApps, _editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("identities", "AgentIdentity").objects.update(ends_at=models.F("expires_at"))


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("identities", "0009_people"),
    ]

    operations: ClassVar = [
        migrations.AddField(
            model_name="agentidentity",
            name="sponsor",
            field=models.ForeignKey(
                blank=True,
                help_text="Answers for the agent when its owner has left; another person than the owner.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="sponsored_agents",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="agentidentity",
            name="ends_at",
            field=models.DateTimeField(blank=True, help_text="The end that somebody set.", null=True),
        ),
        migrations.AddField(
            model_name="agentidentity",
            name="recertify_by",
            field=models.DateTimeField(
                blank=True, help_text="Until when somebody has to look at it again.", null=True
            ),
        ),
        migrations.RunPython(keep_ends, migrations.RunPython.noop, elidable=True),
        migrations.AddConstraint(
            model_name="agentidentity",
            constraint=models.CheckConstraint(
                condition=models.Q(("sponsor", None), models.Q(("sponsor", models.F("owner")), _negated=True), _connector="OR"),
                name="agent_sponsor_is_not_its_owner",
            ),
        ),
        *(
            migrations.AddConstraint(
                model_name="agentidentity",
                constraint=models.CheckConstraint(
                    condition=models.Q(
                        (end, None),
                        models.Q(("expires_at__isnull", False), ("expires_at__lte", models.F(end))),
                        _connector="OR",
                    ),
                    name=f"agent_expires_by_{end}",
                ),
            )
            for end in ("ends_at", "recertify_by")
        ),
    ]
