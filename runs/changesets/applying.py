"""Carrying out what was accepted of a change set: its items are proposed in their order, and no model is asked.

They are calls of one step, so each waits for those before it; their numbers are those of the items, and so the keys
under which people approved them.
"""

from __future__ import annotations

import json
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.ledger.store import read_contents
from approvals.gate import read_verdicts
from runs.actions.pinning import Pinned, pin_for_people
from runs.actions.proposals import terms_of
from runs.actions.refusals import note_refused
from runs.changesets.plans import APPLY, ApplyPlan, ToApply
from runs.free_turns import may_go_on, note_turn
from runs.lookups.previewing import CHANGED
from runs.lookups.resolving import content_of
from runs.planner.answers import ProposedCall
from runs.session import Session
from tools.assessment import Assessment

DRIFTED = (
    "what it would change, or the terms that it rests on, are not what was reviewed any more; it was not carried out:"
    " have it proposed again"
)
WITHDRAWN = "nobody's approval of it stands any more; it was not carried out: have it proposed again"


def propose_items(session: Session, plan: ApplyPlan, step: int) -> None:
    """Note all accepted items as one step, or, once they are settled, what became of them."""
    if not may_go_on(session):
        return
    if step > 1:
        note_turn(session, step, APPLY, {}, text=tell_outcomes(session, plan))
        return
    with borrowed() as connection, connection.cursor() as cursor:
        contents = read_contents(cursor, plan.run, [item.seq for item in plan.items.values()])
    calls = {number: _read(item, contents.get(item.seq)) for number, item in plan.items.items()}
    note_turn(session, step, APPLY, calls, thought=f"Carries out what was accepted of run {plan.run}.")


def _read(item: ToApply, content: Any) -> ProposedCall:  # Any: JSON
    arguments = content.get("arguments") if isinstance(content, dict) else None
    if not isinstance(arguments, dict):
        return ProposedCall(
            item.tool, None, "", "", "malformed_arguments", "what was proposed has been erased"
        )
    return ProposedCall(item.tool, arguments, json.dumps(arguments), "", None)


def tell_outcomes(session: Session, plan: ApplyPlan) -> str:
    """Return, item by item, what became of it; a step's calls are in the state until the next is asked for."""
    return "\n".join(_tell(session, each) for each in session.state.calls if each.number in plan.items)


def _tell(session: Session, call: CallState) -> str:
    word = {"succeeded": "done", "failed": "failed"}.get(call.status, "not carried out")
    why = f", {call.code.replace('_', ' ')}" if call.status != "succeeded" and call.code else ""
    return f"item {call.number} ({call.tool}): {word}{why}"


def adopt_approval(session: Session, call: CallState, assessment: Assessment, pinned: Pinned | None) -> None:
    """Take the item's own approval for its call, if it is still the one that people signed; nobody is asked anew."""
    session.commit()
    item = session.applying.items[call.number] if session.applying else None
    pinned = pinned or pin_for_people(session, call, assessment)
    if pinned is None or item is None:
        return
    if pinned.bound.digest != item.digest or call.approval:
        note_refused(session, call, CHANGED, DRIFTED, **session.lookups.take_trail())
    elif read_verdicts([item.request]).get(item.request) != "approved":
        note_refused(session, call, "approval_voided", WITHDRAWN)
    else:
        _gate(session, call, pinned, item)


def _gate(session: Session, call: CallState, pinned: Pinned, item: ToApply) -> None:
    facts = {**terms_of(session, call, pinned.bound), **pinned.facts, "approval": str(item.request)}
    facts |= {"expires_at": session.state.expires_at.isoformat(), **session.lookups.take_trail()}
    content = {**(content_of(session, call.number) or {}), **pinned.words}
    session.note(e.CALL_GATED, facts, content or None)
