"""Checkpoints: signed Merkle roots over the heads of streams, which are only ever added."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

import agentops.identifiers

GUARDS = """
CREATE FUNCTION ledger_refuse_checkpoint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'checkpoints are only added: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER ledger_checkpoint_row BEFORE UPDATE OR DELETE ON ledger_checkpoint
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_checkpoint();
CREATE TRIGGER ledger_checkpoint_truncate BEFORE TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_checkpoint();
CREATE TRIGGER ledger_checkpoint_row BEFORE UPDATE OR DELETE ON ledger_checkpoint_head
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_checkpoint();
CREATE TRIGGER ledger_checkpoint_truncate BEFORE TRUNCATE ON ledger_checkpoint_head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_checkpoint();
CREATE TRIGGER ledger_checkpoint_row BEFORE DELETE ON ledger_checkpoint_key
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_checkpoint();
CREATE TRIGGER ledger_checkpoint_truncate BEFORE TRUNCATE ON ledger_checkpoint_key
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_checkpoint();
REVOKE ALL ON ledger_checkpoint, ledger_checkpoint_head, ledger_checkpoint_key FROM agentops_app;
GRANT SELECT, INSERT ON ledger_checkpoint, ledger_checkpoint_head, ledger_checkpoint_key TO agentops_app;
GRANT UPDATE (sealed_private_key) ON ledger_checkpoint_key TO agentops_app;
"""
UNGUARD = """
DROP TRIGGER ledger_checkpoint_row ON ledger_checkpoint;
DROP TRIGGER ledger_checkpoint_truncate ON ledger_checkpoint;
DROP TRIGGER ledger_checkpoint_row ON ledger_checkpoint_head;
DROP TRIGGER ledger_checkpoint_truncate ON ledger_checkpoint_head;
DROP TRIGGER ledger_checkpoint_row ON ledger_checkpoint_key;
DROP TRIGGER ledger_checkpoint_truncate ON ledger_checkpoint_key;
DROP FUNCTION ledger_refuse_checkpoint();
"""


class Migration(migrations.Migration):
    dependencies: ClassVar = [("ledger", "0003_late_outcomes")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="CheckpointKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("public_key", models.BinaryField(max_length=32, unique=True)),
                ("sealed_private_key", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={"db_table": "ledger_checkpoint_key", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=agentops.identifiers.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField(unique=True)),
                ("at", models.DateTimeField()),
                ("public_key", models.BinaryField(max_length=32)),
                ("heads", models.PositiveIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("prev_digest", models.BinaryField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
            ],
            options={"db_table": "ledger_checkpoint", "default_permissions": ()},
        ),
        migrations.CreateModel(
            name="CheckpointHead",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stream_id", models.UUIDField(db_column="stream")),
                ("seq", models.PositiveIntegerField()),
                ("hash", models.BinaryField(max_length=32)),
                (
                    "checkpoint",
                    models.PositiveIntegerField(db_index=True, help_text="The number of the checkpoint."),
                ),
            ],
            options={"db_table": "ledger_checkpoint_head", "default_permissions": ()},
        ),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]
