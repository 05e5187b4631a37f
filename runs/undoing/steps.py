"""The steps of an undo: what is next on its list is proposed, with arguments from the record of the call it undoes."""

from __future__ import annotations

import json

from agentops.database import borrowed, orm_section
from agentops.errors import ValidationFailed
from runs.free_turns import may_go_on, note_turn
from runs.planner.answers import ProposedCall
from runs.session import Session
from runs.undoing.effects import read_effects, read_recorded
from runs.undoing.foresight import foresee, tell
from runs.undoing.plans import UNDO, ToUndo, UndoPlan
from tools.catalogue import read_spec
from tools.compensation import fill_in


def propose_next(session: Session, plan: UndoPlan, step: int) -> None:
    """Note the compensation of the step's effect, or, behind the last one, what became of all of them."""
    if not may_go_on(session):
        return
    effect = plan.of_step(step)
    if effect is None:
        session.commit()  # what is told rests on what is written
        note_turn(session, step, UNDO, None, text=_report(session, plan))
    else:
        reason = (session.content_of(1) or {}).get("reason", "")
        why = f"Undoes {effect.tool} of step {effect.step} of run {effect.run}: {reason}"
        note_turn(session, step, UNDO, _compensate(effect), thought=why)


def _compensate(effect: ToUndo) -> ProposedCall:
    by, undo = read_spec(effect.by), read_spec(effect.version).undo or {}
    with borrowed() as connection, connection.cursor() as cursor:
        found = [
            each for each in read_effects(cursor, effect.run) if each.place == (effect.step, effect.call)
        ]
        recorded = read_recorded(cursor, found).get((effect.step, effect.call))
    try:
        if recorded is None:
            raise ValidationFailed("not_recorded", "there is no such effect")
        arguments = fill_in(undo.get("arguments", {}), recorded.arguments, recorded.result)
    except ValidationFailed as error:
        return ProposedCall(by.name, None, "", "", "malformed_arguments", error.detail)
    return ProposedCall(by.name, arguments, json.dumps(arguments), "", None)


def _report(session: Session, plan: UndoPlan) -> str:
    with orm_section(), borrowed() as connection, connection.cursor() as cursor:
        return tell(foresee(cursor, plan.run, session.context.team_id))
