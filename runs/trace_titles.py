"""The words for what happened to a run, and the lane that each stands in."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

from agentops.engine import events as e

Lane = Literal["decided", "executed", "broke"]
Facts = dict[str, Any]  # Any: the non-personal JSON of an entry
PROOFS = {"token": "a verified token of theirs", "asserted": "the word of the application"}

LANES: dict[str, Lane] = {
    **dict.fromkeys((e.RUN_STARTED, e.MESSAGE_RECEIVED, e.INPUT_RECEIVED, e.HANDOVER_ANSWERED), "decided"),
    **dict.fromkeys((e.CALL_RECEIVED, e.RUN_HELD_BACK, e.RUN_ADMITTED), "decided"),
    **dict.fromkeys((e.CALL_HELD, e.CALL_VETOED), "decided"),
    **dict.fromkeys((e.OUTCOME_SETTLED, e.RUN_PAUSED, e.RUN_UNPAUSED, e.CANCEL_REQUESTED), "decided"),
    **dict.fromkeys(
        (e.MODEL_REQUESTED, e.STEP_DECIDED, e.PLAN_FROZEN, e.CALL_ALLOWED, e.CALL_GATED, e.CALL_ASKED),
        "decided",
    ),
    **dict.fromkeys((e.APPROVAL_GRANTED, e.APPROVAL_REFUSED, e.RUN_COMPLETED, e.RUN_CANCELLED), "decided"),
    **dict.fromkeys((e.CALL_EDITED, e.CALL_ASKED_BACK), "decided"),
    **dict.fromkeys((e.CONFIRMATION_REQUESTED, e.CONFIRMATION_GIVEN, e.CONFIRMATION_REFUSED), "decided"),
    **dict.fromkeys((e.HANDOVER_CLOSED, e.BUDGET_EXTENDED, e.EXTENSION_REFUSED), "decided"),
    **dict.fromkeys((e.CALL_STAGED, e.CHANGES_OFFERED), "decided"),
    **dict.fromkeys((e.CHANGES_SENT_BACK, e.CHANGES_SETTLED), "decided"),
    **dict.fromkeys(
        (e.ATTEMPT_STARTED, e.CALL_DELEGATED, e.CALLED_OFF, e.CALL_AWAITED, e.CALL_SUCCEEDED, *e.OF_ESCROW),
        "executed",
    ),
    **dict.fromkeys((e.RESULT_READ, e.MEMORY_RECALLED, e.MEMORY_WRITTEN), "executed"),
    **dict.fromkeys((e.SUMMARY_REQUESTED, e.SUMMARY_WRITTEN), "decided"),
    e.SUMMARY_FAILED: "broke",
    **dict.fromkeys((e.EMBEDDING_REQUESTED, e.EMBEDDING_MADE), "executed"),
    e.EMBEDDING_FAILED: "broke",
    **dict.fromkeys(
        (e.MODEL_FAILED, e.CALL_REFUSED, e.ATTEMPT_FAILED, e.CALL_DEFERRED, e.CALL_FAILED), "broke"
    ),
    **dict.fromkeys(
        (e.CALL_UNKNOWN, e.CALL_PARKED, e.BUDGET_EXHAUSTED, e.LIMIT_REACHED, e.RUN_KILLED), "broke"
    ),
    **dict.fromkeys((e.AUTHORITY_LOST, e.RUN_HALTED, e.RUN_FAILED, e.RUN_EXPIRED), "broke"),
}


def lane_of(kind: str) -> Lane:
    """Return the lane of a kind of entry; what is new here counts as executed."""
    return LANES.get(kind, "executed")


def title_of(kind: str, facts: Facts, tool: str) -> str:
    """Return a plain sentence about an entry; `tool` is the name of the call's tool, if it has one."""
    title = TITLES.get(kind)
    if title is None:
        return kind.replace(".", " ").replace("_", " ").capitalize()
    return title(_LenientFacts(facts), tool) if callable(title) else title


class _LenientFacts(Facts):
    """Facts in which what is missing is None: an entry that an older version wrote is still to be told."""

    def __missing__(self, name: str) -> None:
        return None


def _words(code: object) -> str:
    return str(code or "no reason given").replace("_", " ")


def _decided(facts: Facts, _: str) -> str:
    if facts["calls"]:
        return f"Step {facts['step']}: wants to call " + ", ".join(call["tool"] for call in facts["calls"])
    return f"Step {facts['step']}: answers"


def _recalled(facts: Facts, _: str) -> str:
    count = len(facts["entries"] or ())
    whose = ", with strangers' words among them" if facts["label"] == "untrusted" else ""
    how = _ways(facts)
    if not count:
        return f"Recalls nothing from earlier runs{how}"
    return f"Recalls {count} notes of earlier runs{whose}{how}"


def _ways(facts: Facts) -> str:
    """Return by which ways notes were found, where there are two; where one was not taken, why."""
    if not facts["ways"]:
        return ""
    if facts["without"]:
        return f", by their words alone: {_words(facts['without'])}"
    return ", by their words and by their meaning"


def _remembered(facts: Facts, _: str) -> str:
    kept = ", kept from later runs until a person has looked at it" if facts["state"] == "quarantined" else ""
    return f"Notes something for later runs{kept}"


def _allowed(facts: Facts, tool: str) -> str:
    waived = any(reason.get("code") == "no_human_waiver" for reason in facts["reasons"] or ())
    allowed = f"{tool}: allowed, no human: waiver" if waived else f"{tool}: allowed"
    return f"{allowed}, {_until(facts)}" if facts["held_until"] else allowed


def _gated(facts: Facts, tool: str) -> str:
    if facts["because"]:
        return f"{tool}: {_because(facts)}the approval is void, and people are asked anew"
    return f"{tool}: waits for a person's decision"


def _because(facts: Facts) -> str:
    return "what it would change is not what people were shown; " if facts["because"] else ""


def _until(facts: Facts) -> str:
    until = str(facts["held_until"] or "")[:19].replace("T", " ")
    return f"held for a veto until {until} UTC"


def _asked(facts: Facts, _: str) -> str:
    return "Hands over to a person" if facts["action"] == "handover" else "Asks the user"


def _edited(facts: Facts, tool: str) -> str:
    return f"{tool}: edited by a person, {', '.join(facts['edited'] or ()) or 'the arguments'}"


def _started(facts: Facts, tool: str) -> str:
    return (
        f"{tool}: called"
        if facts.get("attempt", 1) == 1
        else f"{tool}: called again, attempt {facts['attempt']}"
    )


def _planned(facts: Facts, _: str) -> str:
    effects = [
        f"{tool}{f' ({at_most} times)' if at_most else ''}" for tool, at_most, _ in facts["tools"] or ()
    ]
    return f"The plan stands, from the user's words: {', '.join(effects) or 'nothing may be called'}"


def _succeeded(facts: Facts, tool: str) -> str:
    if facts["replayed"]:
        return f"{tool}: had been done before, its recorded outcome counts"
    return f"{tool}: found to be done" if facts["read_back"] else f"{tool}: done"


def _settled(facts: Facts, tool: str) -> str:
    return f"{tool}: a person found that it had {'' if facts['happened'] else 'not '}happened"


def _held_back(facts: Facts, _: str) -> str:
    many = f"{facts['waiting']} wait, and people can decide {facts['capacity']} an hour"
    return f"Waits to begin: {many}"


def _halted(facts: Facts, _: str) -> str:
    limit = f" ({_words(facts['limit'])})" if facts["limit"] else ""
    return f"Halted: {_words(facts['reason'])}{limit}"


def _confirming(facts: Facts, tool: str) -> str:
    asks = "the end user is asked to confirm exactly this"
    return f"{tool}: {_because(facts)}{asks}{' anew' if facts['because'] else ''}"


EXTENDED = {"steps": "steps", "tokens": "tokens", "usd": "USD", "seconds": "seconds"}


def _extended(facts: Facts, _: str) -> str:
    given = ((facts[unit], words) for unit, words in EXTENDED.items())
    more = ", ".join(f"{amount} {words}" for amount, words in given if Decimal(str(amount or 0)))
    return f"A person lets it go on, with more: {more}"


TASKS = {"plan": "to plan", "execute": "to carry out"}
WHYS = {
    "first_call": "the run begins",
    "message": "somebody has said something",
    "plan_changed": "its plan has changed",
    "invalid_arguments": "calls that nobody could make came again and again",
    "failed_steps": "calls failed again and again",
    "next_step": "the next step",
}
PASSED = {"circuit_open": "its circuit is open", "too_dear": "it is too dear", "no_price": "it has no price"}


def tell_route(facts: Facts) -> str:
    """Return why a call went to its model, in words; nothing for calls of old, which went to the one there was."""
    if not facts["role"]:
        return ""
    low = ", the cheapest, for little is left" if facts["low"] else ""
    task, why = TASKS.get(facts["role"], "for something"), WHYS.get(facts["why"], "for some reason")
    return f", {task}: {why}{low}{_passed_over(facts)}"


def _passed_over(facts: Facts) -> str:
    passed = [
        (each["model"], PASSED.get(each["why"], "for some reason")) for each in facts["passed_over"] or ()
    ]
    return "".join(f"; {model} is not, {why}" for model, why in passed)


def _redacted(facts: Facts) -> str:
    """Return of how many values something was taken out: that it was is told, and not what."""
    return f", without what was taken out of {facts['redacted']} values" if facts["redacted"] else ""


def _failed(facts: Facts, _: str) -> str:
    if facts["asked"] is False:
        return f"Step {facts['step']}: no model is there, {_words(facts['code'])}{_passed_over(facts)}"
    return f"Step {facts['step']}: the model failed, {_words(facts['code'])}"


def _unsummarised(facts: Facts, _: str) -> str:
    if facts["another"]:
        return f"{facts['requested_model']} wrote no summary, {_words(facts['code'])}: another model is asked"
    return f"The steps up to {facts['through']} are left out without a summary, {_words(facts['code'])}"


TITLES: dict[str, str | Callable[[Facts, str], str]] = {
    e.RUN_STARTED: "The run starts",
    e.RUN_HELD_BACK: _held_back,
    e.RUN_ADMITTED: "Those who review have room for it: it begins",
    e.MESSAGE_RECEIVED: "The user writes",
    e.CALL_RECEIVED: lambda facts, _: f"Step {facts['step']}: a call arrives from the agent outside",
    e.INPUT_RECEIVED: "The user answers",
    e.HANDOVER_ANSWERED: "A person answers for the agent",
    e.HANDOVER_CLOSED: lambda facts, _: f"A person ends the conversation: {_words(facts['outcome'])}",
    e.OUTCOME_SETTLED: _settled,
    e.RUN_PAUSED: "Paused",
    e.RUN_UNPAUSED: "Resumed",
    e.CANCEL_REQUESTED: "Cancelling was asked for",
    e.RUN_KILLED: "Killed by an operator",
    e.MODEL_REQUESTED: lambda facts, _: (
        f"Step {facts['step']}: {facts['model']} is asked{tell_route(facts)}{_redacted(facts)}"
    ),
    e.STEP_DECIDED: _decided,
    e.PLAN_FROZEN: _planned,
    e.MODEL_FAILED: _failed,
    e.SUMMARY_REQUESTED: lambda facts, _: (
        f"{facts['model']} is asked for a summary of the steps up to {facts['through']}{_passed_over(facts)}"
        f"{_redacted(facts)}"
    ),
    e.SUMMARY_WRITTEN: lambda facts, _: (
        f"From now on a summary stands for the steps up to {facts['through']}, by {facts['model']}"
    ),
    e.SUMMARY_FAILED: _unsummarised,
    e.EMBEDDING_REQUESTED: lambda facts, _: (
        f"{facts['model']} is asked for the vector of what is looked for in the memory{_redacted(facts)}"
    ),
    e.EMBEDDING_MADE: lambda facts, _: (
        f"{facts['requested_model']} turns what is looked for in the memory into a vector"
    ),
    e.EMBEDDING_FAILED: lambda facts, _: (
        f"What is looked for in the memory has no vector, {_words(facts['code'])}"
    ),
    e.CALL_ALLOWED: _allowed,
    e.CALL_GATED: _gated,
    e.CALL_REFUSED: lambda facts, tool: f"{tool}: refused, {_words(facts['code'])}",
    e.CALL_HELD: lambda facts, tool: f"{tool}: {_because(facts)}{_until(facts)}",
    e.CALL_VETOED: lambda _, tool: f"{tool}: vetoed by a person",
    e.CALL_ASKED: _asked,
    e.CONFIRMATION_REQUESTED: _confirming,
    e.CONFIRMATION_GIVEN: lambda facts, tool: (
        f"{tool}: confirmed by the end user, known by {PROOFS.get(facts['proof'], 'nothing on record')}"
    ),
    e.CONFIRMATION_REFUSED: lambda facts, tool: f"{tool}: not confirmed, {_words(facts['code'])}",
    e.CALL_STAGED: lambda facts, tool: f"{tool}: staged as item {facts['item']} of the change set",
    e.CHANGES_OFFERED: lambda facts, _: f"Its change set is put before reviewers: {facts['items']} items",
    e.CHANGES_SENT_BACK: lambda facts, _: "A reviewer sends the change set back",
    e.CHANGES_SETTLED: lambda facts, _: (
        f"The change set is settled: {facts['accepted']} of {facts['items']} items are carried out"
    ),
    e.APPROVAL_GRANTED: lambda _, tool: f"{tool}: approved by a person",
    e.APPROVAL_REFUSED: lambda facts, tool: f"{tool}: {_words(facts['verdict'])}, not approved",
    e.CALL_EDITED: _edited,
    e.CALL_ASKED_BACK: lambda _, tool: f"{tool}: a person asks back before deciding",
    e.ATTEMPT_STARTED: _started,
    e.ATTEMPT_FAILED: lambda facts, tool: (
        f"{tool}: attempt {facts['attempt']} failed, {_words(facts['code'])}"
    ),
    e.CALL_DEFERRED: lambda facts, tool: (
        f"{tool}: waits, {'all its places are taken' if facts['code'] == 'no_place' else 'its circuit is open'}"
    ),
    e.CALL_DELEGATED: lambda _, tool: f"{tool}: given to another agent, as a run of its own",
    e.CALLED_OFF: lambda _, tool: f"{tool}: not needed any more, its run is told to stop",
    e.CALL_AWAITED: lambda facts, tool: f"{tool}: an agent elsewhere has the task, {_words(facts['code'])}",
    e.CALL_SUCCEEDED: _succeeded,
    e.CALL_FAILED: lambda facts, tool: f"{tool}: failed, {_words(facts['code'])}",
    e.CALL_UNKNOWN: lambda facts, tool: f"{tool}: nobody knows whether it happened, {_words(facts['code'])}",
    e.CALL_PARKED: lambda _, tool: f"{tool}: a person has to find out whether it happened",
    e.RESULT_READ: lambda facts, _: (
        f"Reads on in the result of entry {facts['of']}, {facts['length']} characters long"
    ),
    e.MEMORY_RECALLED: _recalled,
    e.MEMORY_WRITTEN: _remembered,
    e.BUDGET_BOUND: "Another budget binds it from now on",
    e.BUDGET_DRAWN: "Draws on shared budgets",
    e.BUDGET_RETURNED: "Gives back what it held of shared budgets",
    e.BUDGET_EXHAUSTED: lambda facts, _: f"Out of budget: {_words(facts['limit'])}",
    e.LIMIT_REACHED: lambda facts, _: f"At its limit ({_words(facts['limit'])}), it asks a person to go on",
    e.BUDGET_EXTENDED: _extended,
    e.EXTENSION_REFUSED: lambda facts, _: f"It may not go on: {_words(facts['code'])}",
    e.AUTHORITY_LOST: lambda facts, _: f"May not act any more: {_words(facts['code'])}",
    e.RUN_COMPLETED: "Completed",
    e.RUN_HALTED: _halted,
    e.RUN_FAILED: lambda facts, _: f"Failed: {_words(facts['reason'])}",
    e.RUN_CANCELLED: "Cancelled",
    e.RUN_EXPIRED: "Expired",
}
