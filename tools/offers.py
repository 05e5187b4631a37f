"""Which tools somebody who plans is offered: those of which some call may go out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from agentops.database import borrowed
from tools.authority import Ask
from tools.calls import ToolSpec
from tools.policy import find_bar
from tools.standing import Authority, Question, read_standing

NO_RUN = UUID(int=0)


def list_callable(
    specs: Iterable[ToolSpec], *, identity_id: UUID, by: Authority, now: datetime
) -> list[ToolSpec]:
    """Return those that nothing bars altogether, in the same order. A call is decided by itself, when it is made."""
    with borrowed() as connection:
        asked = [(spec, _question(spec, identity_id, by, now)) for spec in specs]
        found = [(spec, read_standing(connection, question).standing) for spec, question in asked]
    return [spec for spec, standing in found if find_bar(_ask(spec, by, now), standing) is None]


def _question(spec: ToolSpec, identity_id: UUID, by: Authority, now: datetime) -> Question:
    return Question(identity_id, spec.tool_id, by, NO_RUN, now, key="", dedupe_digest="", dedupe_since=now)


def _ask(spec: ToolSpec, by: Authority, now: datetime) -> Ask:
    return Ask(NO_RUN, spec.name, spec.digest, spec.effect, None, now, limits=by.limits)
