"""The bytes that came with results, beside the ledger: bounded, for one conversation, and for a day.

Only agents outside can use them, so nothing is kept of other runs' results. They are written with the entry that
names them by digest, or not at all; who erases the run's words erases them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from agentops.ledger.store import Cursor
from runs.models import EXTERNAL
from tools.outcomes import Part

if TYPE_CHECKING:
    from runs.guards import Guard
    from runs.session import Session

RUN_LIMIT_BYTES = 16 * 1024 * 1024  # of all of a conversation's that are kept at a time

# What finds no room is not kept, and its result says so when it is asked for: the result itself is the ledger's.
_KEEP = """
INSERT INTO runs_kept_part (run_id, digest, data)
SELECT %(run)s, %(digest)s, %(data)s
WHERE (SELECT coalesce(sum(octet_length(data)), 0) FROM runs_kept_part WHERE run_id = %(run)s) + %(size)s <= %(limit)s
ON CONFLICT (run_id, digest) DO UPDATE SET kept_at = EXCLUDED.kept_at
"""
_READ = "SELECT digest, data FROM runs_kept_part WHERE run_id = %s AND digest = ANY(%s)"


def keep_parts(session: Session, parts: Sequence[Part]) -> Guard | None:
    """Return the duty to keep what came with a result, where an agent outside can ask for it."""
    if not parts or session.version.planner != EXTERNAL:
        return None
    run = session.context.run_id

    def keep(cursor: Cursor) -> bool:
        for part in parts:
            told = {"run": run, "digest": part.digest, "data": part.data}
            cursor.execute(_KEEP, {**told, "size": len(part.data), "limit": RUN_LIMIT_BYTES})
        return True

    return keep


def read_parts(cursor: Cursor, run: UUID, digests: Iterable[str]) -> Mapping[str, bytes]:
    """Return those of a run's parts that are still kept."""
    cursor.execute(_READ, (run, list(digests)))
    return {digest: bytes(data) for digest, data in cursor.fetchall()}


def erase_parts(cursor: Cursor, run: UUID) -> None:
    """Erase what a run's results brought."""
    cursor.execute("DELETE FROM runs_kept_part WHERE run_id = %s", (run,))
