"""A run's state, folded from its stream."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from agentops.engine import ENGINE_VERSION
from agentops.engine.events import Event
from agentops.engine.fold import fold_all
from agentops.engine.snapshots import UnreadableSnapshot, load_state
from agentops.engine.state import RunState
from agentops.ledger.store import Cursor, read_entries
from runs import lease_rows

logger = logging.getLogger(__name__)


def read_state(cursor: Cursor, run_id: UUID) -> RunState:
    """Fold a run's stream, from its last snapshot where this engine version can read it."""
    return fold_on(cursor, run_id, lease_rows.read_snapshot(cursor, run_id, ENGINE_VERSION))


def fold_on(cursor: Cursor, run_id: UUID, kept: tuple[int, Any] | None) -> RunState:  # Any: JSON
    """Fold what follows a snapshot, given by its place in the stream and its state; all where there is none."""
    state = None if kept is None else _load_kept(run_id, *kept)
    entries = read_entries(cursor, run_id, after=0 if state is None else state.seq)
    return fold_all((Event(x.seq, x.kind, x.facts, x.at) for x in entries), state)


def _load_kept(run_id: UUID, seq: int, kept: Any) -> RunState | None:  # Any: JSON
    """Return the state that a snapshot holds, or None: it is a cache, and what cannot be read is folded anew."""
    try:
        state = load_state(kept)
    except UnreadableSnapshot as error:
        logger.warning("run %s: its snapshot at %s is thrown away: %s", run_id, seq, error)
        return None
    return state if state.seq == seq else None
