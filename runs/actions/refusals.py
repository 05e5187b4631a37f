"""Refusing a call, for a stated reason, and giving back what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.identifiers import text_of
from agentops.ledger.store import Cursor
from runs.actions.proposals import reasons_of, where_of
from runs.guards import CapDemand, Guard
from runs.lookups.resolving import CODES, content_of, refused_of
from runs.session import Session
from tools.assessment import Assessment
from tools.caps import release_caps

Words = Mapping[str, Any]  # Any: erasable JSON
NO_WORDS: Words = MappingProxyType({})
QUOTING = ("invalid_arguments", "amount_missing", *CODES)


def note_refused(
    session: Session, call: CallState, code: str, detail: str, told: Words = NO_WORDS, **facts: Any
) -> None:
    """Note why a call may not go out; one in doubt is left to a person, for "refused" would claim no effect.

    ``told`` is what else can be erased.
    """
    facts = {
        **where_of(session, call),
        "tool": call.tool,
        "code": code,
        **_version_of(session, call),
        **facts,
    }
    if call.in_doubt:
        doubt = {"attempt": call.attempts, "latency_ms": 0, "then": "park", "delay_ms": 0}
        session.note(e.CALL_UNKNOWN, {**facts, **doubt}, {"detail": detail, **told})
    else:
        session.note(e.CALL_REFUSED, facts, {"detail": detail, **told}, give_caps_back(session, call))


def _version_of(session: Session, call: CallState) -> dict[str, str]:
    """Return which version of a tool was refused, so that its page can count it; nothing for one that is not there."""
    spec = session.version.catalogue.get(call.tool)
    return {} if spec is None else {"tool_version": text_of(spec.id)}


def note_denied(session: Session, call: CallState, assessment: Assessment) -> None:
    """Note that the policy says no, and its reasons."""
    code = assessment.decision.code
    facts = {"reasons": reasons_of(assessment), "decision": "DENY", **session.lookups.take_trail()}
    if code in QUOTING:  # the words quote the model's arguments: content only
        facts["reasons"] = [{"source": "tool", "code": code, "detail": ""}]
    told = refused_of(session, call.number) or content_of(session, call.number) or {}
    note_refused(session, call, code, assessment.detail, told, **facts)


def give_caps_back(session: Session, call: CallState) -> Guard | None:
    """Return the duty to give back what a call holds of caps and surely did not use."""
    if not call.claims:
        return None
    identity, tool = session.context.identity_id, session.version.catalogue[call.tool].tool_id

    def release(cursor: Cursor) -> bool:
        release_caps(cursor, identity, tool, call.claims)
        return True

    return CapDemand(tool, release)
