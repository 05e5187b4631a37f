"""Tasks that agents elsewhere work on for a run that ends: they are told that nobody waits for them any more."""

from __future__ import annotations

from runs.actions.proposals import call_of, read_arguments
from runs.session import Session
from runs.slots import waiting_outside
from tools import execution


def call_off_remote(session: Session) -> list[int]:
    """Tell them before the end is written; return, as a fact of it, of which calls they were told.

    A driver that dies in between tells them once more, which changes nothing. Who is not reached works on in vain.
    """
    told = []
    for call in session.state.calls:
        if call.status != "awaited":
            continue
        spec = session.version.catalogue[call.tool]
        asked = call_of(session, call, spec, read_arguments(session, call, spec))
        with waiting_outside():
            is_told = execution.call_off(asked)
        told += [call.number] if is_told else []
    if told:
        session.read_clock()
    return told
