"""Back-pressure: while what is due waits longer than it should, new runs are put off, the least urgent first.

What was accepted is never dropped. A run that acts for another one is let in: who waits for it would wait for ever.
"""

from __future__ import annotations

from math import ceil

from django.conf import settings
from django.db import connection

from agentops.errors import Overloaded
from runs.models import Priority

# In parts of the target. Who is urgent is put off last, but not never: a queue without end helps nobody.
BEARS = {Priority.LOW: 1 / 3, Priority.NORMAL: 1.0, Priority.HIGH: 10.0}
# How late the run is that waits longest for a driver, by the index ``run_due``.
_LAG = """
SELECT extract(epoch FROM clock_timestamp() - coalesce(lease_until, wake_at)) FROM runs_run
WHERE ended_at IS NULL AND coalesce(lease_until, wake_at) <= clock_timestamp()
ORDER BY coalesce(lease_until, wake_at) LIMIT 1
"""


def read_lag_s() -> float:
    """Return by how many seconds the run is late that waits longest for a driver; 0 when none waits."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG)
        row = cursor.fetchone()
    return float(row[0]) if row else 0.0


def check_room(priority: Priority) -> None:
    """Raise Overloaded where a new run of this priority would join a queue that is too late already."""
    bearable = settings.START_TARGET_S * BEARS[priority]
    lag_s = read_lag_s()
    if lag_s > bearable:
        detail = (
            f"runs wait {lag_s:.0f} s for a worker, and one of this priority may join up to {bearable:.0f} s"
        )
        raise Overloaded("overloaded", detail, retry_after_s=ceil(lag_s - bearable))
