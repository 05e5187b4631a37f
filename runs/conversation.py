"""A conversation in full, for people: who said what, the earliest first. What was erased says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.db import connection

from agentops.engine import events as e
from agentops.ledger.decoding import decode_facts, decode_members
from identities.models import User
from runs.models import Run

Speaker = Literal["user", "agent", "person"]
Turn = Literal["person", "user", "agent", "nobody"]
ERASED = "[erased]"
MOST = 400  # the newest; a conversation that people can still follow is shorter

_SPOKEN = (e.RUN_STARTED, e.MESSAGE_RECEIVED, e.INPUT_RECEIVED, e.HANDOVER_ANSWERED, e.HANDOVER_CLOSED,
           e.STEP_DECIDED, e.CALL_ASKED)  # fmt: skip
_SAID = """
SELECT seq, kind, at, actor, facts::text, content FROM ledger_entry
WHERE stream = %s AND kind = ANY(%s) ORDER BY seq DESC LIMIT %s
"""
_BY: dict[str, Speaker] = {
    **dict.fromkeys((e.RUN_STARTED, e.MESSAGE_RECEIVED, e.INPUT_RECEIVED), "user"),
    **dict.fromkeys((e.HANDOVER_ANSWERED, e.HANDOVER_CLOSED), "person"),
    **dict.fromkeys((e.STEP_DECIDED, e.CALL_ASKED), "agent"),
}
_WORDS = {e.RUN_STARTED: "message", e.CALL_ASKED: "question"}


@dataclass(frozen=True, slots=True)
class Said:
    """One turn. ``name`` is of the person on the staff; ``action`` is what the agent said it for: input, handover."""

    by: Speaker
    text: str
    at: datetime
    name: str = ""
    action: str = ""


def read_conversation(run: Run) -> list[Said]:
    """Return what was said in a run: at most the newest ``MOST`` turns."""
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [run.pk, list(_SPOKEN), MOST])
        rows = cursor.fetchall()[::-1]
    names = _name_people(row for row in rows if _BY[row[1]] == "person")
    return list(_tell(rows, names))


def whose_turn(run: Run) -> Turn:
    """Return who has to say something next, so that the conversation goes on."""
    if run.has_ended:
        return "nobody"
    awaited = {action["type"] for action in run.required_actions}
    if "handover" in awaited:
        return "person"
    return "user" if awaited & {"input", "confirmation"} else "agent"


def _name_people(rows: Iterator[Any]) -> dict[UUID, str]:  # Any: rows of a cursor
    people = {row[3] for row in rows}
    found = User.objects.filter(pk__in=people) if people else User.objects.none()
    return {person.pk: str(person) for person in found}


def _tell(rows: Sequence[Any], names: dict[UUID, str]) -> Iterator[Said]:  # Any: as above
    for seq, kind, at, actor, told, words in rows:
        facts, content = decode_facts(told) or {}, decode_members(words, seq)
        text = str(content.get(_WORDS.get(kind, "text")) or content.get("unreadable", ""))
        if kind == e.STEP_DECIDED and not text and words is not None:
            continue  # it called tools, and said nothing
        yield Said(_BY[kind], text or ERASED, at, names.get(actor, ""), str(facts.get("action", "")))
