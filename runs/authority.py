"""Whether those by whose authority a run acts may still act: looked at before it thinks, asks or goes on waiting."""

from __future__ import annotations

from agentops.database import borrowed
from agentops.engine import events as e
from runs.session import Session
from tools.policy import find_lost_authority
from tools.standing import read_actors


def heed_standing(session: Session) -> bool:
    """Note, once, that whoever acts has lost the right to; return whether the run may go on."""
    if session.state.lost_authority:
        return False
    context = session.context
    with borrowed() as connection:
        actors = read_actors(connection, context.identity_id, context.application_id, context.started_by_id)
    code = find_lost_authority(actors, session.now)
    if code:
        session.note(e.AUTHORITY_LOST, {"code": code})
    return not code
