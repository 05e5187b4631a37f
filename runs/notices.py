"""What of a run is told: that it has ended, asks its user, was passed to a person, or waits for reviewers.

The driver writes it with the entry that it tells of, in the same statement. What the run is about is not told: who
may know asks for the run.
"""

from __future__ import annotations

from collections.abc import Callable

from agentops.engine import events as e
from approvals.notices.kinds import Facts, Kind, register_kind
from runs.policies import VETO

ENDED = "run.ended"
PAGE = "admin:runs_run_change"
HELD_BACK = "run.held_back"
QUESTION_ASKED = "question.asked"
HANDOVER_OPENED = "handover.opened"
CALL_HELD = "call.held"

# Kind of entry and, where it says one, what action it asks for → kind of notice.
_TOLD = {
    **{(kind, ""): ENDED for kind in e.ENDINGS},
    (e.RUN_HELD_BACK, ""): HELD_BACK,
    (e.CALL_ALLOWED, ""): CALL_HELD,
    (e.CALL_HELD, ""): CALL_HELD,
    (e.CALL_ASKED, e.BUILT_IN_TOOLS[e.ASK_USER]): QUESTION_ASKED,
    (e.CALL_ASKED, e.BUILT_IN_TOOLS[e.HAND_OVER]): HANDOVER_OPENED,
}
_ROWS = ", ".join(f"('{kind}', '{action}', '{told}')" for (kind, action), told in _TOLD.items())
# Part of the append, behind its fence and head: what nobody wants to know is not written, nor what
# becomes of the cases of an evaluation.
NOTICES = f""", notices AS (
    INSERT INTO approvals_notice (id, key, team_id, application_id, kind, subject, facts, at)
    SELECT gen_random_uuid(), head.id || ':' || n.seq, fence.team_id, fence.application_id, k.told, head.id,
        jsonb_build_object('run', head.id, 'state', head.run ->> 'state', 'reason', head.run ->> 'reason',
            'agent', (SELECT i.slug FROM identities_agentidentity i WHERE i.id = fence.identity_id)), n.at
    FROM head JOIN fence USING (id),
        jsonb_to_recordset(head.entries) AS n(seq int, kind text, facts text, at timestamptz)
        JOIN (VALUES {_ROWS}) AS k(kind, action, told)
            ON k.kind = n.kind AND k.action IN ('', n.facts::jsonb ->> 'action')
            AND (k.told <> '{CALL_HELD}' OR n.facts::jsonb ->> 'held_until' IS NOT NULL)
    WHERE fence.kind <> 'case' AND coalesce(
        (SELECT true FROM approvals_noticechannel c WHERE c.team_id = fence.team_id AND c.state = 'active'
            AND k.told = ANY (c.kinds)
            AND (c.application_id IS NULL OR c.application_id = fence.application_id) LIMIT 1),
        (SELECT true FROM approvals_mailpreference p JOIN identities_team_members m USING (user_id)
            WHERE m.team_id = fence.team_id AND k.told = ANY (p.kinds) LIMIT 1))
    ON CONFLICT (key) DO NOTHING
)"""  # noqa: S608  constants

_TOLD_KINDS = frozenset(kind for kind, _ in _TOLD)


def may_tell(kind: str, facts: str) -> bool:
    """Return whether somebody may want to know of an entry; ``facts`` are its text. The statement looks closer."""
    return kind in _TOLD_KINDS and (_TOLD.get((kind, "")) != CALL_HELD or '"held_until"' in facts)


def _tell_ended(facts: Facts) -> str:
    reason = f" ({str(facts['reason']).replace('_', ' ')})" if facts.get("reason") else ""
    return f"A run of {facts['agent']} has ended: {facts['state']}{reason}."


def register_kinds() -> None:
    """Let the story of a run be told."""
    waits = "waits until those who review have room"
    asks = "asks its user something and waits for the answer"
    hands_over = "has passed its conversation to a person"
    label = "a call is held before it goes out, for a veto"
    held = _tell("holds a call before it goes out: look at it, and veto it if it should not happen")
    register_kind(Kind(CALL_HELD, label, held, PAGE, by_mail=True, permission=VETO))
    for name, label, tell in (
        (ENDED, "a run has ended", _tell_ended),
        (HELD_BACK, "a run waits to begin until reviewers have room", _tell(waits)),
        (QUESTION_ASKED, "an agent asks its user something", _tell(asks)),
        (HANDOVER_OPENED, "an agent passes a conversation to a person", _tell(hands_over)),
    ):
        register_kind(Kind(name, label, tell, PAGE))


def _tell(what: str) -> Callable[[Facts], str]:
    return lambda facts: f"A run of {facts['agent']} {what}."
