"""What a call would change, asked of the tool that its tool names, and what people were shown of it before.

What was shown stands with the entry that put the call before people: the state of its target as keyed digests in the
facts, the words in the content. The one outlives the erasure of the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from runs.lookups.calling import Unanswered, look_up
from runs.session import Session, utc_now
from tools.assessment import Assessment
from tools.previews.declaration import Preview
from tools.previews.reading import Row, compare, fill_in, read_answer
from tools.previews.values import Unreadable

Json = Any  # what stands in the ledger

FAILED, CHANGED = "preview_failed", "state_changed"
# So often people are asked anew about one call: a target that never rests would ask them without end.
MOST_ASKED_ANEW = 3
_KINDS = [e.CALL_ALLOWED, e.CALL_GATED, e.CALL_HELD, e.CONFIRMATION_REQUESTED]
_SHOWN = """
SELECT facts, content FROM ledger_entry WHERE stream = %s AND seq > %s AND seq <= %s AND kind = ANY(%s)
    AND facts ->> 'step' = %s AND facts ->> 'call' = %s AND facts ? 'state' ORDER BY seq DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a call changes as of now; ``told`` is what people are shown of it."""

    state: Mapping[str, str]
    rows: tuple[Row, ...]
    told: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Why that is not known, and what to do, in words for the model."""

    detail: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What people were shown of a call last; ``rows`` is None where that was erased. ``times``: asked anew so far."""

    state: Mapping[str, str]
    rows: Sequence[Row] | None
    times: int


def read_preview(session: Session, assessment: Assessment, preview: Preview) -> Previewed | Unseen:
    """Ask what a call changes now: a lookup like others, with no more right than the run has."""
    call, at = assessment.call, utc_now()
    answered = look_up(session, preview.tool, fill_in(preview, call.arguments), f"{call.key}:preview")
    asked = {"tool": preview.tool, "for": "preview", "at": at.isoformat()}
    if isinstance(answered, Unanswered):
        session.lookups.trail.append(asked)
        return _unseen(assessment, answered.detail)
    session.lookups.trail.append({**asked, "permit": answered.permit})
    try:
        seen = read_answer(preview, call.arguments, answered.value, answered.etag)
    except Unreadable as error:
        return _unseen(assessment, f"{preview.tool}: {error}")
    told = {**asked, "permit": answered.permit, "changes": list(seen.rows)}
    return Previewed(seen.state, seen.rows, told)


def _unseen(assessment: Assessment, why: str) -> Unseen:
    tool = assessment.call.spec.name
    return Unseen(
        f"nobody is asked about {tool}, and it does not run, because what it would change could not be read ({why}); "
        "propose it again later, or tell the user"
    )


def read_shown(session: Session, call: CallState) -> Shown | None:
    """Return what people were shown of a call last, None where they were shown nothing."""
    where = (session.state.step_of(call.number), call.number)
    # What was shown of a call as it was before somebody edited it is not about this one.
    for draft, state in reversed(session.pending):
        if state.seq <= call.edited:
            break
        if (
            draft.kind in _KINDS
            and "state" in draft.facts
            and (draft.facts["step"], draft.facts["call"]) == where
        ):
            return _shown(draft.facts, draft.content)
    asked = (session.context.run_id, call.edited, session.head.seq, _KINDS, str(where[0]), str(where[1]))
    with borrowed() as connection:
        row = connection.execute(_SHOWN, asked).fetchone()
    return None if row is None else _shown(row[0], None if row[1] is None else json.loads(row[1]))


def _shown(facts: Mapping[str, Json], content: Json) -> Shown:
    told = content.get("preview") if isinstance(content, dict) else None
    return Shown(
        facts["state"], told["changes"] if isinstance(told, dict) else None, facts.get("asked_anew", 0)
    )


def tell_since(then: Shown, now: Previewed) -> dict[str, Json]:
    """Return, for people, that they were shown something else before, and what of it has changed (None: erased)."""
    changes = None if then.rows is None else compare(then.rows, now.rows)
    return {"times": then.times + 1, "changes": changes}


def facts_of(seen: Previewed, then: Shown | None) -> dict[str, Json]:
    """Return what stays on record of a preview, and how often people were asked anew because it had changed."""
    changed = then is not None and then.state != seen.state
    times = (then.times if then else 0) + changed
    told = {"state": dict(seen.state), "asked_anew": times, "because": CHANGED if changed else ""}
    return {name: value for name, value in told.items() if value}
