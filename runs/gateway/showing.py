"""What an agent outside, and the user before whom it stands, may be told of a call that waits for people.

Its own call in plain words, and what that changes: read with the run's right, so with no more than the agent's own. A
value that its tool calls sensitive is for those who decide alone: an agent that learnt it here would not have read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from agentops.errors import NotFound
from agentops.ledger.store import read_contents_for_people
from approvals.models import Confirmation
from runs.models import ToolCall
from runs.versions import read_version
from tools.previews.wording import Told, tell

_ASKED = 1  # the entry that says what people are asked, in the stream of a request or a confirmation


@dataclass(frozen=True, slots=True)
class Shown:
    """What the call is, in one sentence, and what it changes."""

    statement: str
    changes: tuple[Told, ...] = ()

    @property
    def words(self) -> str:
        """Return all of it as a text for people."""
        lines = [f"{each.label}: {each.before} → {each.after}" for each in self.changes]
        return "\n".join([self.statement, *lines])

    @property
    def told(self) -> dict[str, Any]:  # Any: JSON
        """Return it as the wire has it."""
        rows = [{"label": row.label, "before": row.before, "after": row.after} for row in self.changes]
        return {"statement": self.statement, **({"changes": rows} if rows else {})}


def show_waiting(call: ToolCall) -> Shown | None:
    """Return what a call is that waits for people; None where that was erased."""
    asked = call.approval_id if call.state == "waiting" else _find_confirmation(call)
    if asked is None:
        return None
    with connection.cursor() as cursor:
        content: Mapping[str, Any] = read_contents_for_people(cursor, asked, [_ASKED]).get(_ASKED) or {}
    if not content.get("statement"):
        return None
    return Shown(content["statement"], _tell_changes(call, content.get("preview")))


def _find_confirmation(call: ToolCall) -> UUID | None:
    waiting = Confirmation.objects.filter(key=call.key, state=Confirmation.State.WAITING)
    found: UUID | None = waiting.values_list("pk", flat=True).first()
    return found


def _tell_changes(call: ToolCall, preview: Any) -> tuple[Told, ...]:  # Any: JSON
    told = tell(preview)
    return told.rows if told and not _reads_secrets(call, told.tool) else ()


def _reads_secrets(call: ToolCall, tool: str) -> bool:
    """Whether anything that the tool answers is sensitive; of one that the version does not know, all is."""
    try:
        catalogue = read_version(call.run.agent_version_id).catalogue
    except NotFound:
        return True
    return tool not in catalogue or any(label.sensitive for _, label in catalogue[tool].declared.results)
