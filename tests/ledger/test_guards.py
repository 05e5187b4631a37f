"""What the database refuses, as real SQL of the role that web, workers and beat connect as, and of the owner."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import errors

from agentops.ledger.tasks import MONTHS_AHEAD, ensure_partitions
from tests.ledger.forging import as_application, as_owner, faults, write_stream

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = (
    errors.InsufficientPrivilege,
    errors.FeatureNotSupported,
    errors.WrongObjectType,
    errors.InvalidTableDefinition,
)

CHANGES_OF_ENTRIES = [
    "UPDATE ledger_entry SET facts = '{}' WHERE seq = 1",
    "UPDATE ledger_entry SET kind = 'x' WHERE seq = 1",
    "UPDATE ledger_entry SET at = now() WHERE seq = 1",
    "UPDATE ledger_entry SET actor = NULL WHERE seq = 1",
    "UPDATE ledger_entry SET hash = prev_hash WHERE seq = 1",
    "UPDATE ledger_entry SET prev_hash = hash WHERE seq = 1",
    "UPDATE ledger_entry SET seq = 99 WHERE seq = 1",
    "UPDATE ledger_entry SET stream = gen_random_uuid() WHERE seq = 1",
    "UPDATE ledger_entry SET content_digest = NULL WHERE seq = 1",
    "UPDATE ledger_entry SET content = '{}' WHERE seq = 1",
    "UPDATE ledger_entry SET content = NULL WHERE seq = 1",
    "UPDATE ledger_entry SET salt = NULL WHERE seq = 1",
    "UPDATE ledger_entry SET content = NULL, salt = NULL, facts = '{}' WHERE seq = 1",
    "DELETE FROM ledger_entry",
    "DELETE FROM ledger_entry WHERE seq = 5",
    "TRUNCATE ledger_entry",
    "TRUNCATE ledger_entry CASCADE",
    "INSERT INTO ledger_entry SELECT * FROM ledger_entry WHERE seq = 1"
    " ON CONFLICT (stream, seq) DO UPDATE SET facts = '{}'",
    "MERGE INTO ledger_entry e USING (SELECT 1) n ON e.seq = 1 WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM ledger_entry RETURNING 1) SELECT count(*) FROM gone",
]
CHANGES_OF_STREAMS = [
    "UPDATE ledger_stream SET head_seq = head_seq - 1",
    "UPDATE ledger_stream SET head_hash = '\\x00'",
    "UPDATE ledger_stream SET head_seq = head_seq, head_hash = '\\x00'",
    "UPDATE ledger_stream SET kind = 'x'",
    "UPDATE ledger_stream SET id = gen_random_uuid()",
    "DELETE FROM ledger_stream",
    "TRUNCATE ledger_stream",
]
CHANGES_OF_PARTITIONS = [
    "UPDATE {partition} SET facts = '{}'",
    "UPDATE {partition} SET content = NULL, salt = NULL",
    "DELETE FROM {partition}",
    "TRUNCATE {partition}",
    "INSERT INTO {partition} SELECT * FROM {partition}",
    "SELECT * FROM {partition}",
    "TRUNCATE ledger_entry_other",
    "DROP TABLE {partition}",
    "ALTER TABLE ledger_entry DETACH PARTITION {partition}",
    "ALTER TABLE {partition} DISABLE TRIGGER ALL",
    "DROP TRIGGER ledger_entry_row ON {partition}",
    "CREATE TABLE mine PARTITION OF ledger_entry FOR VALUES FROM"
    " ('ff000000-0000-0000-0000-000000000000') TO ('ff100000-0000-0000-0000-000000000000')",
    "CREATE TABLE mine (LIKE ledger_entry)",
]
CHANGES_OF_THE_GUARDS = [
    "DROP TRIGGER ledger_entry_row ON ledger_entry",
    "DROP TRIGGER ledger_entry_truncate ON ledger_entry",
    "DROP TRIGGER ledger_stream_row ON ledger_stream",
    "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_row",
    "ALTER TABLE ledger_entry DISABLE TRIGGER USER",
    "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
    "ALTER TABLE ledger_stream DISABLE TRIGGER ALL",
    "ALTER TRIGGER ledger_entry_row ON ledger_entry RENAME TO nobody",
    "CREATE TRIGGER mine BEFORE UPDATE ON ledger_entry"
    " FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO ledger_entry DO INSTEAD NOTHING",
    "CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE OR REPLACE FUNCTION ledger_guard_stream() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION ledger_refuse_change() CASCADE",
    "ALTER FUNCTION ledger_refuse_change() RENAME TO nobody",
    "SET session_replication_role = replica",
    "ALTER TABLE ledger_entry OWNER TO agentops_app",
    "ALTER TABLE ledger_entry ADD COLUMN mine text",
    "ALTER TABLE ledger_entry DROP COLUMN hash",
    "ALTER TABLE ledger_entry RENAME TO mine",
    "ALTER TABLE ledger_entry SET SCHEMA pg_catalog",
    "DROP TABLE ledger_entry",
    "DROP TABLE ledger_stream CASCADE",
    "DROP SCHEMA public CASCADE",
    "SET ROLE agentops_owner",
    "SET SESSION AUTHORIZATION agentops_owner",
    "GRANT agentops_owner TO agentops_app",
    "ALTER ROLE agentops_app SUPERUSER",
    "COPY ledger_entry TO PROGRAM 'cat'",
]
EVERYTHING = [*CHANGES_OF_ENTRIES, *CHANGES_OF_STREAMS, *CHANGES_OF_PARTITIONS, *CHANGES_OF_THE_GUARDS]
# What the owner can do is found by verifying; what it does by mistake is refused all the same.
MISTAKES_OF_THE_OWNER = [
    statement for statement in CHANGES_OF_ENTRIES + CHANGES_OF_STREAMS if "DO UPDATE" not in statement
]
# Words that are gone are erased words, and what a stream is about is no part of any entry.
NO_LIES = (
    "UPDATE ledger_entry SET content = NULL WHERE seq = 1",
    "UPDATE ledger_stream SET kind = 'x'",
)


@pytest.fixture
def partition() -> str:
    """Return the partition that a stream of five entries is in."""
    stream = write_stream(5)
    with as_owner(triggers=True) as owner:
        row = owner.execute("SELECT tableoid::regclass::text FROM ledger_entry WHERE stream = %s", [stream])
        return str(next(row)[0])


def everything_that_is_there() -> list[tuple[Any, ...]]:
    with as_owner(triggers=True) as owner:
        entries = owner.execute("SELECT * FROM ledger_entry ORDER BY stream, seq").fetchall()
        return entries + owner.execute("SELECT * FROM ledger_stream ORDER BY id").fetchall()


@pytest.mark.parametrize("statement", EVERYTHING)
def test_the_application_role_is_refused(partition: str, statement: str) -> None:
    before = everything_that_is_there()
    with as_application() as application, pytest.raises(REFUSED):
        application.execute(statement.replace("{partition}", partition))
    assert everything_that_is_there() == before
    assert faults() == []


@pytest.mark.parametrize("statement", MISTAKES_OF_THE_OWNER)
def test_the_owner_is_refused_while_the_triggers_stand(partition: str, statement: str) -> None:
    before = everything_that_is_there()
    with pytest.raises(REFUSED), as_owner(triggers=True) as owner:
        owner.execute(statement)
    assert everything_that_is_there() == before


def test_the_owner_is_refused_on_a_partition_too(partition: str) -> None:
    for statement in ("TRUNCATE {}", "DELETE FROM {}", "UPDATE {} SET facts = '{{}}'"):
        with pytest.raises(REFUSED), as_owner(triggers=True) as owner:
            owner.execute(statement.format(partition))


@pytest.mark.parametrize("statement", MISTAKES_OF_THE_OWNER)
def test_without_the_triggers_the_owners_changes_go_through_and_are_found(
    partition: str, statement: LiteralString
) -> None:
    """The mutant: what is left is the chain."""
    with as_owner() as owner:
        owner.execute(statement)
    assert bool(faults()) is (statement not in NO_LIES)


def test_the_application_role_gives_itself_no_rights() -> None:
    """PostgreSQL warns and grants nothing."""
    with as_application() as application:
        for grantee in ("agentops_app", "PUBLIC"):
            application.execute(f"GRANT ALL ON ledger_entry, ledger_stream TO {grantee}")
        rights = "SELECT has_table_privilege('ledger_entry', %s), has_table_privilege('ledger_stream', %s)"
        for right in ("UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN"):
            assert application.execute(rights, [right, right]).fetchone() == (False, False)


def test_the_application_role_may_erase_and_append() -> None:
    stream = write_stream(2)
    with as_application() as application:
        erased = application.execute(
            "UPDATE ledger_entry SET content = NULL, salt = NULL WHERE stream = %s RETURNING 1", [stream]
        )
        assert erased.rowcount == 2
    write_stream(1, stream)
    assert faults() == []


def test_months_are_prepared_by_the_application_role_and_guarded() -> None:
    with as_owner(triggers=True) as owner:
        owner.execute("DROP TABLE IF EXISTS ledger_entry_209901")
    assert ensure_partitions() >= 0
    with as_application() as application:
        row = application.execute("SELECT ledger_ensure_partitions(%s)", [MONTHS_AHEAD + 2]).fetchone()
        assert row == (2,)
        assert application.execute("SELECT ledger_ensure_partitions(100000)").fetchone() == (22,)
    with as_owner(triggers=True) as owner:
        unguarded = owner.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'ledger_entry'::regclass AND (SELECT count(*) FROM pg_trigger t"
            " WHERE t.tgrelid = c.oid AND t.tgenabled = 'O') < 2"
        ).fetchall()
        assert unguarded == []
        _drop_later_months(owner)


def _drop_later_months(owner: psycopg.Connection[Any]) -> None:
    """Leave the database as the migrations made it, for the tests that come."""
    rows = owner.execute(
        "SELECT relname FROM pg_class WHERE relname ~ '^ledger_entry_[0-9]{6}$' ORDER BY relname"
    ).fetchall()
    for (name,) in rows[13:]:
        owner.execute(f"DROP TABLE {name}")


def test_no_table_of_the_ledger_belongs_to_the_application() -> None:
    with as_application() as application:
        owned = application.execute(
            "SELECT relname FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        ).fetchall()
        assert owned == []
        role = application.execute(
            "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert role == (False, False, False, False)
