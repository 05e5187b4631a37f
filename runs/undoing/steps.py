"""The steps of an undo: what is next on its list is proposed, with arguments from the record of the call it undoes."""

from __future__ import annotations

import json
from typing import Any

from agentops.database import borrowed
from agentops.errors import ValidationFailed
from runs.free_turns import may_go_on, note_turn
from runs.planner.answers import ProposedCall
from runs.session import Session
from runs.undoing.effects import read_effect, read_recorded
from runs.undoing.foresight import foresee, tell
from runs.undoing.plans import UNDO, ToUndo, UndoPlan
from tools.calls import ToolSpec
from tools.catalogue import read_spec
from tools.compensation import fill_in


def propose_next(session: Session, plan: UndoPlan, step: int) -> None:
    """Note the compensation of the step's effect, or, behind the last one, what became of all of them."""
    if not may_go_on(session):
        return
    effect = plan.of_step(step)
    if effect is None:
        session.commit()  # what is told rests on what is written
        note_turn(session, step, UNDO, {}, text=write_ending(session, plan))
    else:
        reason = (session.content_of(1) or {}).get("reason", "")
        why = f"Undoes {effect.tool} of step {effect.step} of run {effect.run}: {reason}"
        note_turn(session, step, UNDO, {1: _compensate(effect)}, thought=why)


def write_ending(session: Session, plan: UndoPlan) -> str:
    """Return, effect by effect, what was undone and what was not, of an undo that ends now: all is written."""
    context = session.context
    return tell(foresee(plan.run, context.team_id, ending=context.run_id), has_ended=True)


def _compensate(effect: ToUndo) -> ProposedCall:
    by, spec = read_spec(effect.by), read_spec(effect.version)
    try:
        arguments = fill_in((spec.undo or {}).get("arguments", {}), *_read(effect, spec))
    except ValidationFailed as error:
        return ProposedCall(by.name, None, "", "", "malformed_arguments", error.detail)
    return ProposedCall(by.name, arguments, json.dumps(arguments), "", None)


def _read(effect: ToUndo, spec: ToolSpec) -> tuple[dict[str, Any] | None, Any]:  # Any: JSON
    """Return what the call had as its arguments, and what it answered."""
    with borrowed() as connection, connection.cursor() as cursor:
        found = read_effect(cursor, effect.run, effect.place)
        recorded = read_recorded(cursor, [found], {effect.version: spec})[effect.place] if found else None
    if recorded is None:
        raise ValidationFailed("not_recorded", "there is no such effect")
    return recorded.arguments, recorded.result
