"""Binding a call that people look at to the state of its target: read when they are asked, and before it goes out.

What nobody looks at is not read. A retry is not read again: its own first attempt may have moved the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.errors import ApprovalRequired, StateConflict
from approvals import gate
from runs.actions.proposals import where_of
from runs.actions.refusals import note_refused
from runs.lookups.previewing import (
    CHANGED,
    FAILED,
    MOST_ASKED_ANEW,
    Previewed,
    Shown,
    Unseen,
    facts_of,
    read_preview,
    read_shown,
    tell_since,
)
from runs.session import Session, utc_now
from tools.assessment import Assessment

TOO_OFTEN = (
    f"what it would change has changed {MOST_ASKED_ANEW + 1} times while people were looking at it, so it does not "
    "run; propose it again once that has come to rest, or tell the user"
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """A call with what it changes as of now: ``bound`` is what people sign, ``plain`` what was assessed.

    ``then`` is what they were shown before. Without ``seen`` nothing is shown: the tool declares nothing, or nobody
    looks.
    """

    plain: Assessment
    bound: Assessment
    seen: Previewed | None = None
    then: Shown | None = None

    @property
    def has_changed(self) -> bool:
        """Whether people were shown another state."""
        return self.seen is not None and self.then is not None and self.then.state != self.seen.state

    @property
    def facts(self) -> dict[str, Any]:
        """Return, as facts of the entry that puts the call before people, as of which state that is."""
        return facts_of(self.seen, self.then) if self.seen else {}

    @property
    def words(self) -> dict[str, Any]:
        """Return, as content that can be erased, what people are shown."""
        if self.seen is None:
            return {}
        since = {"since": tell_since(self.then, self.seen)} if self.then and self.has_changed else {}
        return {"preview": {**self.seen.told, **since}}


def pin_for_people(session: Session, call: CallState, assessment: Assessment) -> Pinned | None:
    """Return a call as it is put before people, or None after noting why nobody can be asked."""
    preview = assessment.call.spec.preview
    if preview is None:
        return Pinned(assessment, assessment)
    found = read_preview(session, assessment, preview)
    if isinstance(found, Unseen):
        note_refused(session, call, FAILED, found.detail, **session.lookups.take_trail())
        return None
    then = None if call.status == "proposed" else read_shown(session, call)
    pinned = Pinned(assessment, assessment.bound_to(found.state), found, then)
    if pinned.has_changed and then is not None and then.times >= MOST_ASKED_ANEW:
        note_refused(session, call, CHANGED, TOO_OFTEN, **session.lookups.take_trail())
        return None
    return pinned


def pin_for_attempt(session: Session, call: CallState, assessment: Assessment) -> Pinned | None:
    """Return a call as it is about to go out, or None after noting why it does not."""
    asks = (assessment.verdict == "REQUIRE_APPROVAL" and call.approval) or call.confirmation
    if assessment.call.spec.preview is None or not (asks or _is_held(call, assessment)):
        return Pinned(assessment, assessment)
    if call.attempts:
        shown = read_shown(session, call)
        return Pinned(assessment, assessment.bound_to(shown.state) if shown else assessment)
    pinned = pin_for_people(session, call, assessment)
    if pinned is None or asks or not pinned.has_changed:
        return pinned
    _hold_anew(session, call, pinned)
    return None


def _is_held(call: CallState, assessment: Assessment) -> bool:
    return assessment.verdict == "ALLOW" and assessment.veto_s > 0


def _hold_anew(session: Session, call: CallState, pinned: Pinned) -> None:
    """Give people the whole window again: what they let pass by saying nothing was something else."""
    until = utc_now() + timedelta(seconds=pinned.plain.veto_s)
    held = {"held_until": until.isoformat(), "veto_s": pinned.plain.veto_s}
    told = {**where_of(session, call), **held, **pinned.facts, **session.lookups.take_trail()}
    session.note(e.CALL_HELD, told, pinned.words)


def has_only_drifted(
    pinned: Pinned, approval: UUID | None, now: datetime, confirmation: UUID | None = None
) -> bool:
    """Return whether what was given would stand if its call's target were still as people saw it."""
    if not pinned.has_changed or pinned.then is None:
        return False
    try:
        gate.require(
            pinned.plain.bound_to(pinned.then.state),
            approval_id=approval,
            now=now,
            confirmation_id=confirmation,
        )
    except ApprovalRequired:  # the user had confirmed it, and nobody was asked yet
        return True
    except StateConflict:
        return False
    return True
