"""Whether the database protects the ledger from this very process."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from runs.preflight.findings import Finding

SUBJECT = "DATABASE_URL"
REMEDY = (
    "Connect as the application's role, and keep the owner's for `manage.py migrate` (DATABASE_OWNER_URL)"
)

_ROLE = """
SELECT role.rolsuper, role.rolbypassrls OR role.rolcreaterole,
    EXISTS (SELECT FROM pg_class t WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p')
        AND t.relname LIKE 'ledger%%' AND pg_has_role(t.relowner, 'USAGE'))
FROM pg_roles role WHERE role.rolname = current_user
"""
# Partitions are tables of their own: a right on one of them would go past the rights on the whole.
_RIGHTS = """
SELECT bool_or(has_table_privilege(t.oid, 'DELETE') OR has_table_privilege(t.oid, 'TRUNCATE')
        OR has_column_privilege(t.oid, 'facts', 'UPDATE') OR has_column_privilege(t.oid, 'hash', 'UPDATE')
        OR (t.relispartition AND has_table_privilege(t.oid, 'INSERT, UPDATE'))
        OR has_table_privilege('ledger_checkpoint', 'UPDATE, DELETE, TRUNCATE')
        OR has_table_privilege('ledger_checkpoint_head', 'UPDATE, DELETE, TRUNCATE')),
    (SELECT count(*) FROM pg_trigger g WHERE g.tgenabled IN ('O', 'A') AND (g.tgrelid = 'ledger_entry'::regclass
            AND g.tgname IN ('ledger_entry_row', 'ledger_entry_truncate')
        OR g.tgrelid IN ('ledger_checkpoint'::regclass, 'ledger_checkpoint_head'::regclass)
            AND g.tgname IN ('ledger_checkpoint_row', 'ledger_checkpoint_truncate')))
FROM pg_class t WHERE t.oid = 'ledger_entry'::regclass
    OR t.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ledger_entry'::regclass)
"""
GUARDS = 6


def check_database() -> Iterator[Finding]:
    """Yield what the connected role could do to the ledger; raises DatabaseError before migrations."""
    with connection.cursor() as cursor:
        cursor.execute(_ROLE)
        superuser, powerful, owner = cursor.fetchone() or (True, True, True)
        cursor.execute(_RIGHTS)
        writable, guards = cursor.fetchone() or (True, 0)
    if superuser or powerful:
        problem = "the role is a superuser, creates roles or bypasses row security"
        yield Finding("database_superuser", SUBJECT, problem, REMEDY)
    if owner and not superuser:
        yield Finding("database_owner", SUBJECT, "the role owns the ledger and could drop its guards", REMEDY)
    if writable and not superuser and not owner:
        problem = "the role could change or delete ledger entries"
        yield Finding("ledger_writable", SUBJECT, problem, "Run migrate, which takes these rights away")
    if guards != GUARDS:
        problem = "the triggers that refuse changes are missing or switched off"
        yield Finding("ledger_unguarded", SUBJECT, problem, "Switch them on, then verify the ledger")
