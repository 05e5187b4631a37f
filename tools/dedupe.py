"""The same effect proposed twice under two keys is one effect."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tools.assessment import Assessment
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
    digest, spec = assessment.dedupe_digest, assessment.call.spec
    cursor.execute(_LOCK, (digest,))
    since = now - timedelta(seconds=spec.dedupe_window_s)
    cursor.execute(_OTHERS, (digest, assessment.call.key, since))
    others: list[tuple[Any, ...]] = cursor.fetchall()
    return not others[0][0]
