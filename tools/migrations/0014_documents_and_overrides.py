"""Let servers of tools be interfaces that a document describes, and people override lint, each word for good."""

from __future__ import annotations

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import agentops.identifiers


GUARD = """
CREATE FUNCTION tools_guard_lint_override() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lint override % is on the record: % refused', OLD.id, TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER tools_lintoverride_immutable BEFORE UPDATE OR DELETE ON tools_lintoverride
    FOR EACH ROW EXECUTE FUNCTION tools_guard_lint_override();
"""
UNGUARD = """
DROP TRIGGER tools_lintoverride_immutable ON tools_lintoverride;
DROP FUNCTION tools_guard_lint_override();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("tools", "0013_resolvers")]
    operations: ClassVar = [
        migrations.AddField(
            "toolserver",
            "document_url",
            models.CharField(
                blank=True,
                default="",
                help_text="Where its document is; empty for one that people bring.",
                max_length=500,
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "toolserver",
            "transport",
            models.CharField(
                choices=[
                    ("http", "streamable HTTP"),
                    ("stdio", "a command on our own hosts"),
                    ("openapi", "an interface with an OpenAPI document"),
                ],
                max_length=8,
            ),
        ),
        migrations.AddField(
            "servertool",
            "accepted_document",
            models.CharField(
                blank=True,
                default="",
                help_text="The digest of the document that it was accepted from.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.CreateModel(
            "ServerDocument",
            [
                ("id", models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("text", models.TextField()),
                ("taken_at", models.DateTimeField(help_text="When it was read last.")),
                ("server", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="documents", to="tools.toolserver")),
            ],
            {"ordering": ["-taken_at"]},
        ),
        migrations.AddConstraint(
            "serverdocument",
            models.UniqueConstraint(fields=["server", "digest"], name="server_document_once_per_server"),
        ),
        migrations.CreateModel(
            "LintOverride",
            [
                ("id", models.UUIDField(default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=500)),
                ("findings", models.JSONField(help_text="What was overridden: [code, place] each.")),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("version", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="lint_overrides", to="tools.toolversion")),
            ],
            {"ordering": ["created_at"]},
        ),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
