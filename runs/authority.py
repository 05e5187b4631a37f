"""Whether those by whose authority a run acts may still act: looked at before it thinks, asks or goes on waiting."""

from __future__ import annotations

from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from runs.session import Session
from tools.policy import find_lost_authority
from tools.standing import actors_of, read_actors


def heed_standing(session: Session, *, afresh: bool = True) -> bool:
    """Note, once, that whoever acts has lost the right to; return whether the run may go on.

    What was seen before will do where the append that follows compares it with how things stand then.
    """
    if session.state.lost_authority:
        return False
    if afresh or session.actors is None:
        session.actors = _read(session)
    code = find_lost_authority(actors_of(session.actors), session.now)
    if code:
        session.note(e.AUTHORITY_LOST, {"code": code})
    return not code


def _read(session: Session) -> list[Any]:  # Any: a JSON array
    context = session.context
    with borrowed() as connection:
        return read_actors(connection, context.identity_id, context.application_id, context.started_by_id)
