"""Back-pressure: while what is due of a team waits longer than it should, new runs are put off, the least urgent first.

What was accepted is never dropped. A run that acts for another one is let in: who waits for it would wait for ever.
"""

from __future__ import annotations

from math import ceil
from uuid import UUID

from django.conf import settings
from django.db import connection

from agentops.errors import Overloaded
from runs.models import Priority
from runs.turns_of_teams import read_lag_s

# In parts of the target. Who is urgent is put off last, but not never: a queue without end helps nobody.
BEARS = {Priority.LOW: 1 / 3, Priority.NORMAL: 1.0, Priority.HIGH: 10.0}


def check_room(priority: Priority, team: UUID) -> None:
    """Raise Overloaded where a new run of a team would join a queue that is too late already.

    It would wait behind those of its own team that are as urgent: not behind other teams, which it takes turns with,
    nor behind who is less urgent.
    """
    bearable = settings.START_TARGET_S * BEARS[priority]
    with connection.cursor() as cursor:
        lag_s = read_lag_s(cursor, team, priority)
    if lag_s > bearable:
        detail = (
            f"runs wait {lag_s:.0f} s for a worker, and one of this priority may join up to {bearable:.0f} s"
        )
        raise Overloaded("overloaded", detail, retry_after_s=ceil(lag_s - bearable))
