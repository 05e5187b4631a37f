"""How many calls stand at once: what ``read_standing`` says of one, in one statement for all of them.

For those who look beforehand whether calls could still go out. Each is assessed by itself when it does.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import psycopg

from tools.caps import locate_windows
from tools.standing import (
    SEEN_EFFECTS,
    STANDING_AS_SEEN,
    UNKNOWN,
    Answer,
    Question,
    list_windows,
    read_answer,
)

logger = logging.getLogger(__name__)

_ROW = {
    "identity": "uuid",
    "tool": "uuid",
    "application": "uuid",
    "initiator": "uuid",
    "principal": "uuid",
    "provider": "text",
    "line": "text",
    "credential": "uuid",
    "key": "text",
    "dedupe_digest": "text",
    "dedupe_since": "timestamptz",
}
_OF_ROW = {name: f"q.{name}" for name in _ROW} | {"line": "l.line"}
_SEEN = SEEN_EFFECTS.replace("$9", "q.key").replace("$10", "q.dedupe_digest").replace("$11", "q.dedupe_since")
_STANDINGS = f"""
SELECT q.place, s.* FROM unnest({", ".join(f"%({name})s::{kind}[]" for name, kind in _ROW.items())})
    WITH ORDINALITY AS q({", ".join(_ROW)}, place)
CROSS JOIN LATERAL (SELECT q.line::jsonb AS line) AS l
CROSS JOIN LATERAL ({STANDING_AS_SEEN.format(more=f", {_SEEN}::text", **_OF_ROW)}) AS s
"""  # noqa: S608  constants only
_USED = """
SELECT c.place, u.used_count, u.used_amount
FROM unnest(%(identities)s::uuid[], %(tools)s::uuid[], %(windows)s::text[]) WITH ORDINALITY
    AS c(identity_id, tool_id, "window", place)
JOIN tools_capusage u USING (identity_id, tool_id, "window")
"""


def read_standings(connection: psycopg.Connection[Any], questions: Sequence[Question]) -> list[Answer | None]:
    """Return an answer for each question; None where one cannot be made of what is stored, so that it is asked alone.

    A waiver takes a statement of its own.
    """
    rows = [_row_of(question) for question in questions]
    columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in _ROW}
    found = {place - 1: seen for place, *seen in connection.execute(_STANDINGS, columns).fetchall()}
    answers = [_read(connection, question, found.get(place)) for place, question in enumerate(questions)]
    return _add_used(connection, questions, answers)


def _row_of(question: Question) -> dict[str, Any]:  # Any: of several types
    by = question.authority
    return {
        "identity": question.identity_id, "tool": question.tool_id, "application": by.application_id,
        "initiator": by.started_by_id, "principal": by.principal_id, "provider": by.provider,
        "line": by.line_as_json, "credential": by.credential_id, "key": question.key,
        "dedupe_digest": question.dedupe_digest, "dedupe_since": question.dedupe_since,
    }  # fmt: skip


def _read(
    connection: psycopg.Connection[Any], question: Question, seen: list[Any] | None
) -> Answer | None:  # Any: columns
    if seen is None:
        return UNKNOWN
    try:
        return read_answer(connection, question, *seen)
    except ValueError as error:  # caps that cannot be read would cap nothing
        logger.warning("how a call of %s stands cannot be read: %s", question.tool_id, error)
        return None


def _add_used(
    connection: psycopg.Connection[Any], questions: Sequence[Question], answers: Sequence[Answer | None]
) -> list[Answer | None]:
    """Add what is used of the windows of each, all of them in one statement."""
    windows = [
        sorted(set(list_windows(question, answer.standing))) if answer else []
        for question, answer in zip(questions, answers, strict=True)
    ]
    used = _read_used(connection, questions, windows)
    return [
        answer
        and replace(answer, standing=replace(answer.standing, used=used[place]), counted=bool(windows[place]))
        for place, answer in enumerate(answers)
    ]


def _read_used(
    connection: psycopg.Connection[Any], questions: Sequence[Question], windows: Sequence[Sequence[str]]
) -> list[dict[str, tuple[int, Decimal]]]:
    located: dict[str, list[Any]] = {"identities": [], "tools": [], "windows": []}
    owners = [(place, window) for place, named in enumerate(windows) for window in named]
    for question, named in zip(questions, windows, strict=True):
        for name, values in locate_windows(question.identity_id, named).items():
            located[name].extend(values)
        located["tools"].extend([question.tool_id] * len(named))
    used: list[dict[str, tuple[int, Decimal]]] = [{} for _ in questions]
    rows = connection.execute(_USED, located).fetchall() if owners else []
    for number, count, amount in rows:
        place, window = owners[number - 1]
        used[place][window] = (count, amount)
    return used
