"""The plan of a run: made from the user's words before anything else is read, then frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agentops.engine import events as e
from agentops.engine.state import CallState
from runs.actions.meaning import is_near_to
from runs.actions.proposals import proposal, where_of
from runs.actions.refusals import note_refused
from runs.planner.estimates import upper_bound_tokens
from runs.planner.messages import Message, ToolSchema
from runs.redaction import Redactor
from runs.session import Session
from runs.shown_digests import digest_messages
from runs.sources import read_sources
from runs.versions import PLANNER, WORDS, VersionSpec
from runs.window import Block
from tools.provenance.plans import Plan, Planned, admit, derive_all, join

PLANNING = (
    "Nothing has been read yet but the user's own words. Declare now, with declare_plan, which of the tools below the "
    "request needs, how often each may be called at most, and which arguments the user has already named. What you do "
    "not declare cannot be called later."
)
HOW_TO_DECLARE = "declare {tools: [{tool, at_most, arguments}]}, of tools that there are"
DECLARE_PLAN = ToolSchema(
    e.DECLARE_PLAN,
    "Declare which tools the user's request needs.",
    {
        "type": "object",
        "properties": {
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "tool": {"type": "string"},
                        "at_most": {"type": "integer", "minimum": 1},
                        "arguments": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                    "required": ["tool"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["tools"],
        "additionalProperties": False,
    },
)


def is_due(session: Session) -> bool:
    """Return whether the user has said something that the plan does not know yet."""
    return bool(session.version.plan) and session.state.planned_until < session.state.said_until


def is_declaring(session: Session) -> bool:
    """Return whether the planner is to declare a plan, and sees nothing but the user's words for it."""
    return session.version.plan == PLANNER and is_due(session)


def freeze_by_words(session: Session) -> None:
    """Freeze what the user's words ask for, where the version leaves no word in it to the planner."""
    if session.version.plan == WORDS and is_due(session):
        session.note(e.PLAN_FROZEN, _facts(session, _widest(session)))


def _widest(session: Session) -> dict[str, Planned]:
    """Return what the words allow that the present plan does not know."""
    return derive_all(_new_words(session), session.version.candidates)


def _new_words(session: Session) -> list[str]:
    return [text for seq, text in read_sources(session).words if seq > session.state.planned_until]


def _find_near(session: Session) -> set[str]:
    """Return the tools without listed words that the new words have to do with, without asking for them."""
    words = _new_words(session)
    specs = session.version.catalogue.values()
    return {spec.name for spec in specs if any(is_near_to(text, spec) for text in words)}


def _facts(session: Session, more: Plan, own: Iterable[str] = ()) -> dict[str, Any]:
    """Return the plan as it stands from now on; ``own`` are the tools whose arguments this very entry holds."""
    state = session.state
    before = {each.tool: Planned(each.at_most) for each in state.plan}
    kept = {each.tool: each.seq for each in state.plan if each.tool not in more}
    tools = [
        [tool, planned.at_most, True if tool in own and tool not in before else kept.get(tool, 0)]
        for tool, planned in join(before, more).items()
    ]
    return {"tools": tools, "until": state.said_until, "by": session.version.plan}


def show_words(session: Session) -> list[Block]:
    """Return the window of a planner that declares: the user's words, and the tools that there are."""
    return [arrange_words([text for _, text in read_sources(session).words], session.version)]


def arrange_words(said: Sequence[str], version: VersionSpec) -> Block:
    """Return what a planner that declares is shown of what the user has said."""
    redactor = Redactor(version.redact)
    words = redactor.redact_text("\n\n".join(said))
    tools = "\n".join(f"- {spec.name}: {spec.description}" for spec in version.catalogue.values())
    messages: tuple[Message, ...] = (
        {"role": "system", "content": f"{PLANNING}\n\n{tools}"},
        {"role": "user", "content": words},
    )
    tokens = upper_bound_tokens(messages, (DECLARE_PLAN,))
    return Block((), messages, tokens, redactor.count, digest_messages(messages))


def heed_declaration(session: Session, call: CallState) -> None:
    """Freeze what a planner declared, as far as the user's words allow it."""
    if not is_declaring(session):
        note_refused(session, call, "already_planned", "the plan stands; only what is in it can be called")
        return
    arguments = proposal(session, call.number)["arguments"]
    proposed = _read_plan(arguments, session.version)
    if proposed is None:
        note_refused(session, call, "invalid_arguments", HOW_TO_DECLARE)
        return
    admitted = admit(proposed, _widest(session), _find_near(session))
    templates = {name: dict(planned.arguments) for name, planned in admitted.items() if planned.arguments}
    left_out = sorted(proposed.keys() - admitted.keys())
    asking = sorted(name for name, planned in admitted.items() if planned.at_most == 0)
    told = f"planned: {', '.join(name for name in admitted if name not in asking) or 'nothing'}"
    if asking:
        told += f"; of these a person is asked each time: {', '.join(asking)}"
    if left_out:
        told += f"; left out, because the user did not ask for it: {', '.join(left_out)}"
    facts = {**where_of(session, call), **_facts(session, admitted, templates), "size": len(told)}
    session.note(e.PLAN_FROZEN, facts, {"value": told, "arguments": templates})


def _read_plan(arguments: Any, version: VersionSpec) -> dict[str, Planned] | None:  # Any: a model wrote it
    """Return a declared plan, or None for what is none; a tool declared twice may be called as often as both say."""
    listed = arguments.get("tools") if isinstance(arguments, dict) else None
    if not isinstance(listed, list):
        return None
    plan: dict[str, Planned] = {}
    for each in listed:
        planned = _read_planned(each, version)
        if planned is None:
            return None
        plan = join(plan, {each["tool"]: planned})
    return plan


def _read_planned(each: Any, version: VersionSpec) -> Planned | None:  # Any: whatever a model wrote
    if not isinstance(each, dict) or each.get("tool") not in version.catalogue:
        return None
    at_most, arguments = each.get("at_most"), each.get("arguments", {})
    counts = at_most is None or (type(at_most) is int and at_most > 0)
    if not counts or not isinstance(arguments, dict):
        return None
    return Planned(at_most, {str(name): str(value) for name, value in arguments.items()})
