"""Create the ledger, its guards, and the two database roles' rights.

The role that runs migrations owns everything. ``agentops_app`` is what web, workers and beat connect as:
it may read and add entries and erase ``content``, nothing else; every other table it may use freely.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models

ROLE_AND_RIGHTS = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_app') THEN
        CREATE ROLE agentops_app NOLOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO agentops_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO agentops_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO agentops_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO agentops_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO agentops_app;
"""

ENTRY_TABLE = """
CREATE TABLE ledger_entry (
    stream uuid NOT NULL,
    seq integer NOT NULL CHECK (seq > 0),
    kind varchar(48) NOT NULL,
    facts jsonb NOT NULL,
    content text,
    salt bytea,
    content_digest bytea,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL,
    actor uuid,
    PRIMARY KEY (stream, seq)
) PARTITION BY RANGE (stream);
CREATE INDEX ledger_entry_kind_at ON ledger_entry (kind, at) WHERE kind NOT LIKE 'model.%'
    AND kind NOT LIKE 'attempt.%' AND kind NOT LIKE 'call.%' AND kind NOT LIKE 'step.%';
"""

# Streams are UUIDv7: a month of streams is a range, and retention can drop a month whole.
PARTITIONS = """
CREATE TABLE ledger_entry_other PARTITION OF ledger_entry DEFAULT;

CREATE FUNCTION ledger_month_bound(month timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM month) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid
$$;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.content IS NULL AND NEW.salt IS NULL
       AND (NEW.stream, NEW.seq, NEW.kind, NEW.facts, NEW.prev_hash, NEW.hash, NEW.at)
         = (OLD.stream, OLD.seq, OLD.kind, OLD.facts, OLD.prev_hash, OLD.hash, OLD.at)
       AND NEW.content_digest IS NOT DISTINCT FROM OLD.content_digest
       AND NEW.actor IS NOT DISTINCT FROM OLD.actor THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;

CREATE TRIGGER ledger_entry_row BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entry_truncate BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entry_truncate BEFORE TRUNCATE ON ledger_entry_other
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- Runs with the owner's rights, so that the application role can prepare months without owning tables.
CREATE FUNCTION ledger_ensure_partitions(months_ahead integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz := date_trunc('month', now(), 'UTC');
    name text;
    made integer := 0;
BEGIN
    FOR i IN 0..least(months_ahead, 36) LOOP
        name := 'ledger_entry_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
        IF to_regclass('public.' || name) IS NULL THEN
            EXECUTE format('CREATE TABLE public.%I PARTITION OF public.ledger_entry FOR VALUES FROM (%L) TO (%L)',
                name, ledger_month_bound(month), ledger_month_bound(month + interval '1 month'));
            EXECUTE format('CREATE TRIGGER ledger_entry_truncate BEFORE TRUNCATE ON public.%I
                FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change()', name);
            EXECUTE format('REVOKE ALL ON public.%I FROM agentops_app', name);
            made := made + 1;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END $$;
SELECT ledger_ensure_partitions(12);
"""

STREAM_GUARD = """
CREATE FUNCTION ledger_guard_stream() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.id = OLD.id AND NEW.kind = OLD.kind AND NEW.head_seq > OLD.head_seq THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a ledger stream only moves on: % refused', TG_OP USING ERRCODE = '42501';
END $$;
CREATE TRIGGER ledger_stream_row BEFORE UPDATE OR DELETE ON ledger_stream
    FOR EACH ROW EXECUTE FUNCTION ledger_guard_stream();
CREATE TRIGGER ledger_stream_truncate BEFORE TRUNCATE ON ledger_stream
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard_stream();
ALTER TABLE ledger_stream SET (fillfactor = 50);
"""

LEDGER_RIGHTS = """
REVOKE ALL ON ledger_entry, ledger_entry_other, ledger_stream FROM agentops_app;
GRANT SELECT, INSERT, UPDATE (content, salt) ON ledger_entry TO agentops_app;
GRANT SELECT, INSERT, UPDATE (head_seq, head_hash) ON ledger_stream TO agentops_app;
REVOKE ALL ON FUNCTION ledger_ensure_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_ensure_partitions(integer) TO agentops_app;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
        migrations.RunSQL(ROLE_AND_RIGHTS, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="Stream",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=32)),
                ("head_seq", models.PositiveIntegerField(default=0)),
                ("head_hash", models.BinaryField(max_length=32)),
            ],
            options={"db_table": "ledger_stream"},
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "stream_id", "seq", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("stream_id", models.UUIDField(db_column="stream")),
                ("seq", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=48)),
                ("facts", models.JSONField()),
                ("content", models.TextField(null=True)),
                ("salt", models.BinaryField(null=True)),
                ("content_digest", models.BinaryField(null=True)),
                ("prev_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
                ("at", models.DateTimeField()),
                ("actor", models.UUIDField(null=True)),
            ],
            options={
                "db_table": "ledger_entry",
                "verbose_name_plural": "entries",
                "permissions": [("erase_content", "Can erase the personal content of entries")],
                "managed": False,
            },
        ),
        migrations.RunSQL(ENTRY_TABLE, "DROP TABLE ledger_entry"),
        migrations.RunSQL(PARTITIONS, migrations.RunSQL.noop),
        migrations.RunSQL(STREAM_GUARD, migrations.RunSQL.noop),
        migrations.RunSQL(LEDGER_RIGHTS, migrations.RunSQL.noop),
    ]
