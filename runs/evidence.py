"""What a person is shown who decides about a call: plain words, whose they are, and what they rest on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from agentops.ledger.store import read_entries
from agentops.text import spell_out
from runs.lookups.resolving import content_of
from runs.marking import mark_answer, mark_call
from runs.session import Session
from runs.window import OBSERVATION_LIMIT, Written, text_of_value
from tools.assessment import Assessment

PLACEHOLDER = re.compile(r"\{([\w-]+(?:\[[\w-]+\])*)\}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
NO_QUOTES = str.maketrans({"“": "'", "”": "'"})
READS_ON = 11  # since this version of the engine a run may read on in a long result
EVIDENCE_LIMIT = 6
EXCERPT_LIMIT = 1_500
USER_WROTE = "user_wrote"  # why an approval was voided
UNREAD_WORDS = (
    "somebody wrote to you meanwhile: read that first, and propose the call again only if it still fits"
)


def size_of(value: Any, engine: int = 0) -> dict[str, int]:  # Any: JSON
    """Return, as facts, how many characters a value takes in the model's window, and how long a longer one is.

    Runs of an ``engine`` that knows no reading on have no length: nothing is offered that reads it.
    """
    length = len(text_of_value(value))
    if length <= OBSERVATION_LIMIT:
        return {"size": length}
    return {"size": OBSERVATION_LIMIT, **({"length": length} if engine >= READS_ON else {})}


def collect(session: Session, call: CallState, assessment: Assessment) -> dict[str, Any]:
    """Return the snapshot for an approval: who wants what, for whom, why, and on what evidence."""
    context, spec = session.context, assessment.call.spec
    step = session.state.step_of(call.number)
    decided = _decision(session, step)
    return {
        "agent": context.identity_name,
        "statement": describe_call(spec.statement, spec.name, assessment.call.arguments),
        "arguments": assessment.call.arguments,
        **mark_call(session, call, assessment),
        **(content_of(session, call.number) or {}),
        "principal": {"issuer": context.issuer, "subject": context.subject},
        "request": _request(session),
        "why": decided.get("thought") or decided.get("text") or "",
        "said": decided.get("text") or "",
        **_observations(session, assessment.call.arguments),
        "reasons": [
            {"source": r.source, "code": r.code, "detail": r.detail} for r in assessment.decision.reasons
        ],
        "step": step,
        "call": call.number,
    }


def describe_call(template: str, tool: str, arguments: dict[str, Any]) -> str:
    """Return a tool's statement with the arguments filled in; the arguments themselves where it has none.

    One pass: what an argument says is never read as a placeholder, or the model could bend the sentence
    that people approve. What it says stands in quotes, so that its words are not taken for ours.
    """
    if not template:
        return f"call {tool} with {spell_out(json.dumps(arguments, ensure_ascii=False))}"
    return PLACEHOLDER.sub(lambda found: _fill_in(found, arguments), template)


def _fill_in(found: re.Match[str], arguments: dict[str, Any]) -> str:
    value: Any = arguments
    for name in re.findall(r"[\w-]+", found.group(1)):
        value = value.get(name) if isinstance(value, dict) else None
    return _mark_off(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _mark_off(text: str) -> str:
    """Return the model's words in quotes that they cannot close; a plain number says nothing but itself."""
    if NUMBER.fullmatch(text):
        return text
    return f"“{spell_out(text.translate(NO_QUOTES))}”"


def _request(session: Session) -> str:
    content = session.content_of(1) or {}
    return str(content.get("message", ""))


def _decision(session: Session, step: int) -> dict[str, Any]:
    for mark in reversed(session.state.marks):
        written = session.contents.get(mark.seq)
        if mark.step == step and written is not None and written.kind == e.STEP_DECIDED:
            return written.content or {}
    return {}


def _observations(session: Session, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what the model had seen that bears on the call, each with where it came from; the rest is counted."""
    session.window()
    seen = [
        (mark, session.contents[mark.seq]) for mark in session.state.marks if mark.seq in session.contents
    ]
    results = [(mark, written) for mark, written in seen if written.kind == e.CALL_SUCCEEDED]
    texts = [json.dumps((written.content or {}).get("value"), ensure_ascii=False) for _, written in results]
    chosen = choose_evidence(arguments, texts)
    shown = [_excerpt(session, results[index][0].step, results[index][1], texts[index]) for index in chosen]
    return {"evidence": shown, "evidence_left_out": len(texts) - len(shown)}


def choose_evidence(arguments: dict[str, Any], texts: Sequence[str]) -> list[int]:
    """Return which results to show, oldest first: those that name the call's values, then the newest.

    A repeated result counts once, or the model could push the others off the page by asking again.
    """
    values = {json.dumps(value, ensure_ascii=False).strip('"') for value in _leaves(arguments)}
    names = {value for value in values if len(value) > 1}
    latest = {text: index for index, text in enumerate(texts)}
    ranked = sorted(
        latest.items(), key=lambda item: (sum(name in item[0] for name in names), item[1]), reverse=True
    )
    return sorted(index for _, index in ranked[:EVIDENCE_LIMIT])


def _leaves(value: Any) -> Iterator[Any]:  # Any: JSON
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value


def _excerpt(session: Session, step: int, written: Written, text: str) -> dict[str, Any]:
    tool = _tool_of(session, step, written.facts["call"])
    marks = mark_answer(session, tool, written.facts, (written.content or {}).get("value"))
    return {
        "step": step, "call": written.facts["call"], "tool": tool, "excerpt": text[:EXCERPT_LIMIT], **marks
    }  # fmt: skip


def _tool_of(session: Session, step: int, number: int) -> str:
    for mark in session.state.marks:
        written = session.contents.get(mark.seq)
        if written is not None and written.kind == e.STEP_DECIDED and written.facts["step"] == step:
            return next((c["tool"] for c in written.facts["calls"] if c["call"] == number), "")
    return ""


OTHER_REFUSALS = {
    "approval_expired": "nobody approved this in time",
    "approval_not_recorded": "nobody's decision about this is on the record",
}


def refusal_words(approval: UUID, code: str) -> str:
    """Return what the model is told when people did not approve, with the reviewer's reason where there is one."""
    if code == "denied_by_human":
        with borrowed() as connection, connection.cursor() as cursor:
            entries = read_entries(cursor, approval, contents=True)
        denied = next((each for each in reversed(entries) if each.kind == "approval.decided"), None)
        content = (denied.content if denied else None) or {}
        return f"a person denied this: {content.get('reason', '')}"
    return OTHER_REFUSALS.get(code) or words_of_void(approval) or "the approval was withdrawn"


def words_of_void(approval: UUID) -> str:
    """Return what the model is told when the user's words voided an approval; nothing for other reasons."""
    with borrowed() as connection, connection.cursor() as cursor:
        codes = [entry.facts.get("code") for entry in read_entries(cursor, approval)]
    return UNREAD_WORDS if USER_WROTE in codes else ""
