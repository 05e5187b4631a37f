"""A PostgreSQL role for one lease: made with the rights of another, a password and an end, and dropped after it.

The role that makes them needs CREATEROLE, and the role whose rights they get WITH ADMIN OPTION; nothing else.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from agentops.outgoing import AddressRefused, resolve
from identities.secret_settings import PostgresSettings
from tools.credentials.providers import (
    PROVIDER_TIMEOUT_S,
    CredentialTrouble,
    LeaseTerms,
    OpenSecret,
    Released,
)

PREFIX = "agentops_lease_"
# Whoever is terminated is gone a moment later; what holds out is left to the next attempt.
_SESSIONS_END_S = 2
_CREATE = """
CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {password} VALID UNTIL {until}
    CONNECTION LIMIT {limit} IN ROLE {inherits}
"""
# Who makes a role may drop it, but has its rights, which it takes to drop what it owns, only by this.
_TAKE_RIGHTS = "GRANT {role} TO CURRENT_USER WITH INHERIT TRUE"
_LOCK_OUT = "ALTER ROLE {role} NOLOGIN PASSWORD NULL"
_TERMINATE = "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE usename = %s"


class PostgresProvider:
    def handle_of(self, lease_id: UUID) -> str:
        return f"{PREFIX}{lease_id.hex}"

    def issue(self, secret: OpenSecret, lease: LeaseTerms) -> Released:
        settings, role = _settings_of(secret), self.handle_of(lease.id)
        password = secrets.token_urlsafe(32)
        with _connect(secret) as connection, connection.transaction():
            _execute(
                connection, _CREATE, role,
                password=sql.Literal(_verifier(connection, role, password)),
                until=sql.Literal(lease.expires_at.isoformat()),
                limit=sql.Literal(settings.connection_limit),
                inherits=sql.Identifier(settings.inherits),
            )  # fmt: skip
            _execute(connection, _TAKE_RIGHTS, role)
        return Released(_address(settings, role, password), lease.expires_at, parts=(password,))

    def end(self, secret: OpenSecret, handle: str) -> None:
        with _connect(secret) as connection:
            connection.execute("SELECT pg_advisory_lock(hashtext(%s))", (handle,))  # a stop may end it, too
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (handle,)).fetchone():
                return
            _execute(connection, _LOCK_OUT, handle)  # first: nobody comes in again while the sessions end
            connection.execute(_TERMINATE, (_SESSIONS_END_S * 1000, handle))
            with connection.transaction():
                _execute(connection, "REASSIGN OWNED BY {role} TO CURRENT_USER", handle)
                _execute(connection, "DROP OWNED BY {role}", handle)
                _execute(connection, "DROP ROLE {role}", handle)


@contextmanager
def _connect(secret: OpenSecret) -> Iterator[psycopg.Connection[Any]]:
    """Connect as who makes the roles; what goes wrong is told without the server's words, which may quote anything."""
    settings = _settings_of(secret)
    try:
        with psycopg.connect(
            host=settings.host, hostaddr=_find_address(settings), port=settings.port, dbname=settings.database,
            user=settings.user, password=secret.value, sslmode=settings.sslmode,
            connect_timeout=int(PROVIDER_TIMEOUT_S), autocommit=True,
            options=f"-c statement_timeout={PROVIDER_TIMEOUT_S:g}s -c lock_timeout={PROVIDER_TIMEOUT_S:g}s",
        ) as connection:  # fmt: skip
            yield connection
    except psycopg.Error as error:
        detail = f"the database of the role refused ({error.sqlstate or 'it cannot be reached'})"
        raise CredentialTrouble("credential_unavailable", detail, retryable=True) from None


def _find_address(settings: PostgresSettings) -> str:
    """Return the address to connect to, the one that was looked at; a socket in the file system is none."""
    try:
        found = resolve(
            settings.host, settings.port, allow_private=settings.allow_private, within_s=PROVIDER_TIMEOUT_S
        )
    except AddressRefused:
        detail = "the database of the role is in a network that is not connected to"
        raise CredentialTrouble("credential_unavailable", detail) from None
    except OSError:
        detail = "the database of the role has no address"
        raise CredentialTrouble("credential_unavailable", detail, retryable=True) from None
    return found[0]


def _execute(connection: psycopg.Connection[Any], statement: Any, role: str, **parts: sql.Composable) -> None:
    connection.execute(sql.SQL(statement).format(role=sql.Identifier(role), **parts))


def _verifier(connection: psycopg.Connection[Any], role: str, password: str) -> str:
    """Return what the server keeps of a password (RFC 5802): the password itself may end up in its log."""
    made = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    return made.decode()


def _address(settings: PostgresSettings, role: str, password: str) -> str:
    return psycopg.conninfo.make_conninfo(
        host=settings.host, port=settings.port, dbname=settings.database, user=role, password=password,
        sslmode=settings.sslmode,
    )  # fmt: skip


def _settings_of(secret: OpenSecret) -> PostgresSettings:
    if not isinstance(secret.settings, PostgresSettings):
        raise CredentialTrouble("credential_unavailable", "these are no settings of a database role")
    return secret.settings
