"""The breakers and places of a step's tools: what a closed door means for a call, and showing who has moved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agentops.engine import events as e
from agentops.engine.breaker import Admission, Transition
from agentops.engine.state import CallState
from runs.actions.proposals import where_of
from runs.actions.refusals import note_refused
from runs.session import Session, utc_now
from tools import mirror
from tools.calls import ToolSpec


def note_breaker_open(session: Session, call: CallState, spec: ToolSpec, admission: Admission) -> None:
    """Note that the call waits for its tool, or goes without it, as the tool declares."""
    retry_at = admission.retry_at or utc_now() + timedelta(seconds=spec.breaker.open_s)
    if spec.on_breaker_open == "wait":
        facts = {**where_of(session, call), "code": "circuit_open", "retry_at": retry_at.isoformat()}
        session.note(e.CALL_DEFERRED, {**facts, "breaker": admission.state, "local": admission.local})
    else:
        detail = f"{spec.name} is out of order ({admission.state}); it may be back at {retry_at:%H:%M:%S} UTC"
        note_refused(session, call, "circuit_open", detail, breaker=admission.state, local=admission.local)


def note_no_place(session: Session, call: CallState, retry_at: datetime, *, local: bool) -> None:
    """Note that the call waits until fewer calls of its tool are under way."""
    facts = {**where_of(session, call), "code": "no_place", "retry_at": retry_at.isoformat()}
    session.note(e.CALL_DEFERRED, {**facts, "local_place": local})


def mirror_transitions(session: Session, moved: Sequence[tuple[ToolSpec, Transition]]) -> None:
    """Show people which breakers have moved, once the outcomes that moved them are safe."""
    if not moved:
        return
    try:
        session.commit()
    finally:  # the breakers have moved, whoever writes the outcomes down
        for spec, transition in moved:
            mirror.show_transition(spec, transition)
