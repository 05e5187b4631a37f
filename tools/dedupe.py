"""The same effect proposed twice under two keys is one effect."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tools.assessment import Assessment, alike_since
from tools.caps import Cursor

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
_OTHERS = """
SELECT count(*) FROM tools_effectrecord
WHERE dedupe_digest = %s AND key <> %s AND state <> 'failed' AND started_at > %s
"""


def is_first_of_its_kind(cursor: Cursor, assessment: Assessment, now: datetime) -> bool:
    """Return whether no like effect was started within the tool's window under another key.

    To be asked in the transaction that records the start: two runs that propose the same wait for each other.
    """
    digest, call = assessment.dedupe_digest, assessment.call
    cursor.execute(_LOCK, (digest,))
    cursor.execute(_OTHERS, (digest, call.key, alike_since(call, now)))
    others: list[tuple[Any, ...]] = cursor.fetchall()
    return not others[0][0]
