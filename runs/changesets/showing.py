"""A change set as people see it: what each item would change, what was decided, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agentops.engine.events import CHANGES_SENT_BACK
from agentops.ledger.decoding import decode_members
from approvals.api.evidence import read_many
from runs.changesets.depending import find_fallen
from runs.changesets.reviewing import list_items
from runs.models import ChangeItem, ChangeSet, Run, ToolCall
from runs.words import read_first

_SENT_BACK = """
SELECT seq, content FROM ledger_entry WHERE stream = %s AND kind = %s AND content IS NOT NULL ORDER BY seq
"""

Json = Any  # arguments, and what stands in the ledger


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An item with the words of its request (empty once erased), and the call that carried it out, if one did.

    ``falls_with`` is the item with which it falls, 0 for none.
    """

    row: ChangeItem
    evidence: Mapping[str, Json]
    falls_with: int
    call: ToolCall | None

    @property
    def number(self) -> int:
        return self.row.number

    @property
    def outcome(self) -> str:
        """Return what became of it, in one word; empty as long as nobody carries anything out."""
        if self.call is None:
            return "not_carried_out" if self.row.change_set.state == ChangeSet.State.APPLIED else ""
        return self.call.state

    @property
    def why(self) -> str:
        """Return why it was not done, as a code."""
        return self.call.code if self.call is not None and self.call.state != "succeeded" else ""


def show_items(change_set: ChangeSet) -> list[ShownItem]:
    """Return the items in their order, in a number of statements that does not grow with them."""
    items = list_items(change_set)
    evidence = read_many(item.request_id for item in items)
    edges = {item.number: item.depends_on for item in items}
    hopeful = {item.number for item in items if item.request.state in ("waiting", "approved")}
    fallen = find_fallen(edges, hopeful.__contains__)
    calls = {call.number: call for call in ToolCall.objects.filter(run=change_set.pk, step=1)}
    for item in items:
        item.change_set = change_set
    return [
        ShownItem(item, evidence.get(item.request_id, {}), fallen.get(item.number, 0), calls.get(item.number))
        for item in items
    ]


def read_form(run: Run) -> dict[str, Json]:
    """Return what a run was asked for: the goal, criteria, constraints, and what it must not; empty once erased."""
    first = read_first(run)
    form: dict[str, Json] = first.get("form") or {"goal": first.get("message", "")}
    return form


def read_rounds(run: Run) -> list[Sequence[Mapping[str, Json]]]:
    """Return the comments with which its change sets were sent back, a list for each time; erased ones are empty."""
    with connection.cursor() as cursor:
        cursor.execute(_SENT_BACK, [run.pk, CHANGES_SENT_BACK])
        return [decode_members(content, seq).get("comments", ()) for seq, content in cursor.fetchall()]
