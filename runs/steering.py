"""What people add to a run's stream: the same append as the driver's, under the epoch of whoever drives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import connection

from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold
from agentops.engine.state import RunState
from agentops.errors import StateConflict
from agentops.ledger.entries import Draft
from agentops.ledger.store import Cursor, read_head
from runs import journal
from runs.folding import read_state
from runs.journal import Write
from runs.models import Run
from runs.projection import Projection, project, run_row


def write_by_person(cursor: Cursor, run: Run, drafted: Draft | Callable[[RunState], Draft]) -> RunState:
    """Append one event of a person to a run whose row the caller has locked, with its projections.

    One that depends on how the run stands is drafted from its state. Return the state after it. Raises
    StateConflict when the run does not wait for such an event. The driver meets a moved head, folds again, and goes
    on from there.
    """
    head = read_head(cursor, run.pk, lock=True)
    before = read_state(cursor, run.pk)
    draft = drafted(before) if callable(drafted) else drafted
    if idle_ms := _idle_ms(run, before, draft.at):
        draft = replace(draft, facts={**draft.facts, "idle_ms": idle_ms})
    event = Event(head.seq + 1, draft.kind, draft.facts, draft.at)
    after = _fold_one_more(before, event)
    entries, moved = journal.seal_drafts(run.pk, head, [draft])
    projection = Projection()
    project(projection, event, after)
    row = run_row(after, draft.at, projection)
    write = Write(run.pk, run.identity_id, run.lease_epoch, head, moved, entries, row, projection)
    result = journal.append(connection.connection, write)
    if result.word != "appended":
        raise StateConflict("run_busy", "the run moved on while you were writing; look at it again")
    return after


def _idle_ms(run: Run, before: RunState, now: datetime) -> int:
    """Return how long the run, being due, has waited for a driver: that is no working time."""
    if before.working_since is None or run.wake_at is None or run.lease_until is not None:
        return 0
    return max(0, (now - max(run.wake_at, before.working_since)) // timedelta(milliseconds=1))


def _fold_one_more(state: RunState, event: Event) -> RunState:
    try:
        return fold(state, event)
    except UnfoldableEvent as error:
        raise StateConflict("not_awaited", "the run does not wait for this; look at it again") from error
