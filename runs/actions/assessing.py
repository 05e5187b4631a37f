"""Whether each call of a step may run, waits for people, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentops.engine import events as e
from agentops.engine.events import BUILT_IN_TOOLS
from agentops.engine.state import CallState
from runs import planning
from runs.actions.confirming import ask_user
from runs.actions.gating import ask_people
from runs.actions.holding import hold_facts
from runs.actions.pinning import pin_for_people
from runs.actions.proposals import assess_proposal, problem_detail, proposal, terms_of, where_of
from runs.actions.refusals import note_denied, note_refused
from runs.authority import heed_standing
from runs.changesets.staging import is_staged, stage_call
from runs.guards import Guard
from runs.handovers import open_handover
from runs.lookups.offering import may_read_on
from runs.lookups.resolving import content_of
from runs.memory.offering import names_offered
from runs.memory.using import use_memory
from runs.results import read_on
from runs.session import Session, utc_now
from runs.versions import PLANNER
from tools.assessment import Assessment
from tools.calls import ToolSpec


def assess_calls(session: Session, numbers: Sequence[int]) -> None:
    """Note for each proposed call whether it may run, waits for people, or is refused."""
    session.one_by_one = False
    for number in numbers:
        call = session.state.call(number)
        spec = session.version.catalogue.get(call.tool)
        if call.problem:
            note_refused(session, call, call.problem, problem_detail(session, number))
        elif call.tool == e.DECLARE_PLAN and session.version.plan == PLANNER:
            planning.heed_declaration(session, call)
        elif planning.is_declaring(session):
            note_refused(
                session, call, "plan_first", "declare first what the user's request needs, with declare_plan"
            )
        elif call.tool in session.version.built_in:
            if not heed_standing(session):
                return
            _note_asked(session, call)
        elif call.tool == e.READ_RESULT and may_read_on(session.state, session.version):
            if not heed_standing(session):
                return
            read_on(session, call)
        elif call.tool in names_offered(session.state, session.version):
            if not heed_standing(session):
                return
            use_memory(session, call)
        elif spec is None:
            known, named = (
                ", ".join(session.version.catalogue),
                proposal(session, number).get("tool", "like it"),
            )
            note_refused(session, call, "not_allow_listed", f"there is no tool {named}; there are: {known}")
        else:
            _assess_one(session, call, spec)


def _assess_one(session: Session, call: CallState, spec: ToolSpec) -> None:
    assessment = assess_proposal(session, call, spec)
    if assessment.verdict == "DENY":
        note_denied(session, call, assessment)
    elif is_staged(session, assessment):
        stage_call(session, call, assessment)
    elif assessment.confirms and not assessment.replay:
        ask_user(session, call, assessment)
    elif assessment.verdict == "ALLOW" or assessment.replay:  # nobody is asked about what has been done
        if held := hold_facts(call, assessment, utc_now()):
            _hold(session, call, assessment, held)
            return
        session.note(e.CALL_ALLOWED, terms_of(session, call, assessment), content_of(session, call.number))
        session.fresh[call.number] = assessment
    else:
        ask_people(session, call, assessment)


def _hold(session: Session, call: CallState, assessment: Assessment, held: dict[str, Any]) -> None:
    """Note that a call may run once people have had their time to veto what it changes."""
    pinned = pin_for_people(session, call, assessment)
    if pinned is None:
        return
    facts = {**terms_of(session, call, assessment), **held, **pinned.facts}
    session.note(e.CALL_ALLOWED, facts, {**(content_of(session, call.number) or {}), **pinned.words} or None)


def _note_asked(session: Session, call: CallState) -> None:
    arguments = proposal(session, call.number)["arguments"] or {}
    question = str(arguments.get("question") or arguments.get("reason") or "")
    if not question.strip():
        note_refused(session, call, "invalid_arguments", f"{call.tool} needs words")
        return
    action = BUILT_IN_TOOLS[call.tool]
    where = (session.context.run_id, session.state.step_of(call.number), call.number, session.now)
    queue: Guard | None = (lambda cursor: open_handover(cursor, *where)) if action == "handover" else None
    session.note(
        e.CALL_ASKED, {**where_of(session, call), "action": action}, {"question": question[:4000]}, queue
    )
