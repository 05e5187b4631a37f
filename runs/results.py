"""Long results: stored whole once, shown as an excerpt, and read on in by the run that they belong to.

What is read on is no new source: each of its values was labelled when the result itself was read, so a page of it can
make nothing trusted that was not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.engine.state import CallState
from runs.actions.proposals import proposal, where_of
from runs.actions.refusals import note_refused
from runs.redaction import Redactor
from runs.session import Session
from runs.sources import label_result
from runs.window import Written, text_of_value
from tools.provenance.labels import join_labels

# With the line above it a page fits whole into what is shown of a result, also where little of it is ASCII.
PAGE = 15_000
MOST_PLACES, AROUND = 20, 200
LONGEST_FIND = 200
HOW_TO_READ = (
    "read_result takes {result, offset} or {result, find}; result is the id of a call, like call_3_1"
)
_NAMED = re.compile(r"call_([1-9][0-9]{0,5})_([1-9][0-9]{0,3})")
_STORED = """
SELECT l.seq, l.facts, l.content, c.tool_name
FROM runs_tool_call c JOIN ledger_entry l ON l.stream = c.run_id AND l.seq = c.outcome_seq
WHERE c.run_id = %(run)s AND c.step = %(step)s AND c.number = %(call)s AND l.kind = %(kind)s
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which result is to be read: from an offset in characters, or around the places that hold some words."""

    step: int
    call: int
    offset: int = 0
    find: str = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A result as it is kept: its entry, what is known of it, its text as the model reads it."""

    seq: int
    facts: dict[str, Any]  # Any: JSON
    value: Any  # JSON
    tool: str


def read_on(session: Session, call: CallState) -> None:
    """Answer a call of ``read_result`` with more of a result of the same run; nobody outside is asked for it."""
    wish = read_wish(proposal(session, call.number)["arguments"])
    if wish is None:
        note_refused(session, call, "invalid_arguments", HOW_TO_READ)
        return
    stored = _find(session, wish)
    if stored is None:
        note_refused(session, call, "unknown_result", "this run has no such result, or it was erased")
        return
    text = text_of_value(_redact(session, stored))
    shown = show_places(text, wish.find) if wish.find else show_page(text, wish.offset)
    leaves = label_result(stored.tool, stored.facts, stored.value, session.version.catalogue)
    label = join_labels(leaf.label for leaf in leaves)
    told = {"of": stored.seq, "length": len(text), "label": label.source, "sensitive": label.sensitive}
    session.note(e.RESULT_READ, {**where_of(session, call), **told, "size": len(shown)}, {"value": shown})


def _redact(session: Session, stored: Stored) -> Any:  # Any: JSON
    """Return a result as its excerpt was made of it: without what the version has redacted."""
    version = session.version
    if not version.redact:
        return stored.value
    entry = Written(e.CALL_SUCCEEDED, stored.facts, {"value": stored.value})
    return Redactor(version.redact).redact_entry(entry, version.catalogue.get(stored.tool)).content["value"]


def read_wish(arguments: Any) -> Wish | None:  # Any: whatever a model wrote
    """Return what a model asks for, or None where it cannot be told."""
    if not isinstance(arguments, dict) or not arguments.keys() <= {"result", "offset", "find"}:
        return None
    named = _NAMED.fullmatch(str(arguments.get("result")))
    offset, find = arguments.get("offset", 0), arguments.get("find", "")
    if named is None or type(offset) is not int or offset < 0:
        return None
    if not isinstance(find, str) or len(find) > LONGEST_FIND or ("find" in arguments and not find.strip()):
        return None
    return Wish(int(named[1]), int(named[2]), offset, find)


def _find(session: Session, wish: Wish) -> Stored | None:
    """Return a result of this run, and of no other: a model names steps and calls, never a run."""
    asked = {"run": session.context.run_id, "step": wish.step, "call": wish.call, "kind": e.CALL_SUCCEEDED}
    with borrowed() as connection:
        row = connection.execute(_STORED, asked).fetchone()
    if row is None or row[2] is None:
        return None
    seq, facts, content, tool = row
    kept = json.loads(content)
    return Stored(seq, facts, kept["value"], tool) if "value" in kept else None


def show_page(text: str, offset: int) -> str:
    """Return a page of a text, with a line that says which, and where the next one begins."""
    start = min(offset, len(text))
    end = min(start + PAGE, len(text))
    rest = f"the next page begins at offset {end}" if end < len(text) else "this is its end"
    return f"[characters {start} to {end} of {len(text)}; {rest}]\n{text[start:end]}"


def show_places(text: str, find: str) -> str:
    """Return the places of a text that hold some words, case aside, each with its offset and what is around it."""
    found = [match.start() for match in re.finditer(re.escape(find), text, re.IGNORECASE)]
    first = "" if len(found) <= MOST_PLACES else f"; the first {MOST_PLACES} are shown"
    lines = [
        f"[offset {at}] {text[max(0, at - AROUND) : at + len(find) + AROUND]}" for at in found[:MOST_PLACES]
    ]
    return "\n".join([f"[{len(found)} places of {len(text)} characters hold it{first}]", *lines])
