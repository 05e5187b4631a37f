"""Whom the end of a run concerns: the parent that waits for its answer, and children that nobody waits for any more.

A hint, after the commit: two runs that end at once would otherwise wait for each other's rows. What is lost with a
worker, the sweeper finds.
"""

from __future__ import annotations

from uuid import UUID

from agentops.database import borrowed
from runs import lease_rows
from runs.queues import send_due
from runs.session import Session

EXPIRES_S = 10.0  # the next sweeps find it


def wake_family(session: Session) -> None:
    """Ring the parent and the children of a run that has just ended."""
    concerned = [UUID(call.child) for call in session.state.calls if call.status == "delegated"]
    if session.context.delegated_call is not None:
        concerned.append(session.authority.line[0].run_id)
    if not concerned:
        return
    with borrowed() as connection, connection.cursor() as cursor:
        rung = [run for run in concerned if lease_rows.ring(cursor, run)]
    send_due(rung, expires_s=EXPIRES_S)
