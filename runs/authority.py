"""Whether those by whose authority a run acts may still act: looked at before it thinks, asks or goes on waiting."""

from __future__ import annotations

from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from runs.concerns import is_ending
from runs.session import Session
from tools.policy import find_lost_authority
from tools.standing import actors_of, read_actors

_ENDED = f"SELECT 1 FROM runs_run r WHERE r.id = ANY(%s) AND {is_ending('r')} LIMIT 1"  # noqa: S608  constants only


def heed_standing(session: Session, *, afresh: bool = True) -> bool:
    """Note, once, that whoever acts has lost the right to; return whether the run may go on.

    What was seen before will do where the append that follows compares it with how things stand then.
    """
    if session.state.lost_authority:
        return False
    code = "" if afresh else _judge(session, session.actors)
    if afresh or code or session.actors is None:  # an old look may let the run go on, never end it
        session.actors = _read(session)
        code = _judge(session, session.actors) or find_ended_parent(session)
    if code:
        session.note(e.AUTHORITY_LOST, {"code": code})
    return not code


def _judge(session: Session, seen: list[Any] | None) -> str:  # Any: a JSON array
    return find_lost_authority(actors_of(seen, session.authority.line), session.now) if seen else ""


def find_ended_parent(session: Session) -> str:
    """Return a code if a run on whose behalf this one acts has ended, or is about to: nothing more is done for it."""
    line = session.authority.line
    if not line:
        return ""
    with borrowed() as connection:
        ended = connection.execute(_ENDED, ([link.run_id for link in line],)).fetchone()
    return "parent_ended" if ended else ""


def _read(session: Session) -> list[Any]:  # Any: a JSON array
    # May be read from the database, and nobody waits for a second connection holding one.
    by = session.authority
    with borrowed() as connection:
        return read_actors(connection, session.context.identity_id, by)
