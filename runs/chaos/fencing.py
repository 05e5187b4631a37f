"""Watching from inside the database who writes into runs: only the driver that holds the lease may.

A trigger of the campaign's own database notes for every entry of a run who was connected (each worker has a
name there) and who held the lease. A write by another worker is one that the fence has let through.
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

WATCH = """
CREATE TABLE chaos_write (stream uuid, seq int, kind text, writer text, lease_owner text);
CREATE FUNCTION chaos_note_write() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO chaos_write
    SELECT NEW.stream, NEW.seq, NEW.kind, current_setting('application_name'), r.lease_owner
    FROM runs_run r WHERE r.id = NEW.stream;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_write AFTER INSERT ON ledger_entry FOR EACH ROW EXECUTE FUNCTION chaos_note_write();
GRANT SELECT ON chaos_write TO agentops_app;
"""
# Others (the web server) write into runs on behalf of people, and hold no lease.
WRITES = "SELECT stream, seq, kind, writer, lease_owner FROM chaos_write WHERE writer LIKE 'worker-%'"


def install_watch(owner_url: str) -> None:
    """Note from now on who writes into runs."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(WATCH)


def find_stale_writes(connection: psycopg.Connection, pids: Mapping[str, int]) -> list[str]:
    """Return words for every entry that a worker wrote into a run that another one held.

    ``pids`` says which process stands behind a writer's name; a lease owner is ``host:process``.
    """
    return [
        f"{writer} (process {pids[writer]}) wrote {kind} as {seq} of {run}, which {owner or 'nobody'} held"
        for run, seq, kind, writer, owner in connection.execute(WRITES).fetchall()
        if owner.rpartition(":")[2] != str(pids[writer])
    ]
