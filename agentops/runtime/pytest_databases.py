"""Databases of a test run: migrated once, copied for each worker, emptied behind each committing test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg
from psycopg import sql

from agentops.runtime import pytest_schemas, service_urls
from agentops.runtime.supervision import ROOT

# Written by migrations and read by Django itself; Django's own flush would fill them again.
KEPT_TABLES = ("django_migrations", "django_content_type", "auth_permission")

# Whom the cleaner connects as: the superuser of servers that are the run's own, else the owner.
CLEANER_URL = "AGENTOPS_TEST_CLEANER_URL"

# What holds rows: partitions, and not what they are partitions of; and whether triggers of ours fire on it.
TABLES = """
SELECT relname, current_setting('session_replication_role') <> 'replica'
  AND EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) AS has_triggers
FROM pg_class c
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND NOT relname = ANY(%s)
  -- Counted, because NOT EXISTS has PostgreSQL read every dependency that there is.
  AND 0 = (SELECT count(*) FROM pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY relname
"""

# Where we may, we silence all triggers, the foreign keys' too: for a deleted person they look into two dozen tables.
SILENCE = """
SELECT set_config('session_replication_role', 'replica', false)
WHERE has_parameter_privilege('session_replication_role', 'SET')
"""

# With the underscore: one run's number may be the beginning of another run's.
OWN_DATABASES = """
SELECT datname FROM pg_database WHERE datname = %(run)s OR starts_with(datname, %(run)s || '_')
"""
END_SESSIONS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE usename = current_user AND (datname = %(run)s OR starts_with(datname, %(run)s || '_'))
"""


def create_migrated_template(owner_url: str, name: str, binaries: Path | None = None) -> None:
    """Copy the database that the URL names and migrate the copy, which nobody else connects to.

    With the server's own programs at hand, what an earlier run of this source has migrated is read in instead.
    Raises RuntimeError with the reason when the copy or a migration fails.
    """
    try:
        copy_database(owner_url, service_urls.database_name(owner_url), name)
    except psycopg.Error as error:
        raise RuntimeError(f"the owner role cannot copy its database: {error}") from error
    url = service_urls.with_database(owner_url, name)
    kept = pytest_schemas.path_of()
    if binaries is not None and pytest_schemas.restore(binaries, url, kept):
        return
    migrate(url)
    if binaries is not None:
        pytest_schemas.keep(binaries, url, kept)


def migrate(owner_url: str) -> None:
    """Migrate a database; raises RuntimeError with the output when that fails."""
    environment = {**os.environ, "DATABASE_OWNER_URL": owner_url}
    migration = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if migration.returncode:
        raise RuntimeError(f"migrate failed:\n{migration.stdout}{migration.stderr}")


def copy_database(owner_url: str, template: str, name: str) -> None:
    """Create a database as a copy of one that has no connections."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


def drop_databases(urls: Mapping[str, str], template: str) -> None:
    """Drop a template and the copies made of it, on servers that outlive the test run."""
    with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as application:
        # Pools live as long as their process, and the owner may not end another role's sessions.
        application.execute(END_SESSIONS, {"run": template})
    with psycopg.connect(urls["DATABASE_OWNER_URL"], autocommit=True) as owner:
        for (name,) in owner.execute(OWN_DATABASES, {"run": template}).fetchall():
            owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def worker_environment(environment: Mapping[str, str], *, template: str, worker: str) -> dict[str, str]:
    """Copy the template for one worker of the run; return the URLs of its database and of its Redis."""
    owner_url = environment["DATABASE_OWNER_URL"]
    name = f"{template}_{worker}"
    copy_database(owner_url, template, name)
    broker_url = environment.get("BROKER_URL") or environment["REDIS_URL"]
    # The controller takes the number after the one it was given; its workers inherit that one and count on.
    offset = int(worker.removeprefix("gw")) if worker.startswith("gw") else 0
    number = service_urls.redis_database(environment["REDIS_URL"]) + 1 + offset
    return {
        "DATABASE_URL": service_urls.with_database(environment["DATABASE_URL"], name),
        "DATABASE_OWNER_URL": service_urls.with_database(owner_url, name),
        CLEANER_URL: service_urls.with_database(environment[CLEANER_URL], name),
        "REDIS_URL": service_urls.with_redis_database(environment["REDIS_URL"], number),
        "BROKER_URL": service_urls.with_redis_database(broker_url, number),
    }


@dataclass
class Cleaner:
    """Brings a database back to what its migrations left, guards of the ledger notwithstanding.

    The application role cannot empty the ledger, and triggers refuse it to everybody. A superuser silences them in
    his own session; the owner has to switch them off within the one transaction that empties the tables, and then
    every session plans its statements anew.
    """

    connection: psycopg.Connection
    seeds: dict[str, bytes]

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect as owner or superuser and remember the rows that migrations wrote."""
        connection = psycopg.connect(url, autocommit=True)
        # A connection that a test left in a transaction must show as an error, not as a hang.
        connection.execute("SET lock_timeout = '20s'")
        connection.execute(SILENCE)
        return cls(
            connection,
            {name: _copy_out(connection, name) for name in _written(connection, _tables(connection))},
        )

    def clean(self) -> None:
        """Empty what was written to, and write the migrations' rows again where they are not as they were.

        By DELETE: a TRUNCATE makes new files for some three hundred tables and indexes, whatever little a test wrote,
        which took longer than most tests.
        """
        with self.connection.transaction():
            tables = _tables(self.connection)
            spoilt = self._spoilt(tables)
            guarded = [name for name in spoilt if tables[name]]
            self._execute(*(_alter(name, "DISABLE") for name in guarded), *map(_delete, spoilt))
            for name in spoilt:
                _copy_in(self.connection, name, self.seeds.get(name, b""))
            # Immediate, so that no deferred check is pending when the triggers come back.
            at_once = sql.SQL("SET CONSTRAINTS ALL IMMEDIATE")
            self._execute(at_once, *(_alter(name, "ENABLE") for name in guarded))

    def _execute(self, *statements: sql.Composable) -> None:
        """Send statements together: there is one for each table, and a round trip costs more than most of them."""
        self.connection.execute(sql.SQL("; ").join(statements))

    def _spoilt(self, tables: dict[str, bool]) -> list[str]:
        """Return the tables that are not as migrations left them; a row that refers to another goes with it."""
        changed = [name for name, rows in self.seeds.items() if _copy_out(self.connection, name) != rows]
        return [*changed, *(name for name in _written(self.connection, tables) if name not in self.seeds)]

    def close(self) -> None:
        """Give the connection back."""
        self.connection.close()


def _tables(connection: psycopg.Connection) -> dict[str, bool]:
    """Return the tables by name, and whether each has triggers of ours."""
    return dict(connection.execute(TABLES, [list(KEPT_TABLES)], prepare=True).fetchall())


def _written(connection: psycopg.Connection, tables: Iterable[str]) -> list[str]:
    """Return the tables that have rows."""
    asked = (
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in tables
    )
    return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(asked), prepare=True)]


def _delete(table: str) -> sql.Composed:
    return sql.SQL("DELETE FROM {}").format(sql.Identifier(table))


def _alter(table: str, verb: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE ONLY {} {} TRIGGER USER").format(sql.Identifier(table), sql.SQL(verb))


def _copy_out(connection: psycopg.Connection, table: str) -> bytes:
    statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT").format(sql.Identifier(table))
    with connection.cursor().copy(statement) as rows:
        return b"".join(bytes(block) for block in rows)


def _copy_in(connection: psycopg.Connection, table: str, rows: bytes) -> None:
    if not rows:
        return
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as target:
        target.write(rows)
