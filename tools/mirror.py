"""The breaker of a tool as people are shown it. Its state is in Redis and may be lost; a row mirrors it.

The row is written when a worker sees the breaker move. Nobody sees it move when Redis is flushed, when its key
expires, or when a worker tripped a breaker of its own while Redis was away, so the rows are reconciled as well.

Each move is kept as a row, too: by the worker that saw it, and if that was killed, by whoever reconciles next, from
what the breaker remembers. Only moves are written, so an ordinary call costs nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, cast

from django.utils import timezone

from agentops.database import borrowed
from agentops.engine.breaker import Transition, moment
from agentops.identifiers import new_id
from tools.breaker import BreakerSnapshot, breaker
from tools.calls import ToolSpec
from tools.models import BreakerState, BreakerTransition, Tool

logger = logging.getLogger(__name__)

_MIRROR = """
WITH moved AS (
    INSERT INTO tools_breakertransition (id, tool_id, at, before, after, reason, retry_at)
    VALUES (%(id)s, %(tool)s, %(at)s, %(before)s, %(after)s, %(reason)s, %(retry_at)s) ON CONFLICT DO NOTHING)
INSERT INTO tools_breakerstate (tool_id, state, changed_at, retry_at, reason)
VALUES (%(tool)s, %(after)s, clock_timestamp(), %(retry_at)s, %(reason)s)
ON CONFLICT (tool_id) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at,
    retry_at = excluded.retry_at, reason = excluded.reason
"""
FORGOTTEN = "forgotten"  # closed, because what had opened it is remembered nowhere


@dataclass(frozen=True, slots=True)
class ShownBreaker:
    """A breaker for people; without ``changed_at`` it has never moved, or nobody knows since when it is so."""

    state: str
    changed_at: datetime | None = None
    retry_at: datetime | None = None
    reason: str = ""


def record_transition(spec: ToolSpec, transition: Transition) -> None:
    """Note that a tool's breaker has opened or closed."""
    values = {**asdict(transition), "id": new_id(), "tool": spec.tool_id, "at": moment(transition.at_ms)}
    with borrowed() as connection:
        connection.execute(_MIRROR, values)


def recall_breaker(tool: Tool) -> ShownBreaker:
    """Return the breaker as a person left it, else as it was last mirrored: for lists, which ask no Redis."""
    if tool.forced_open_at is not None:
        return ShownBreaker("forced_open", tool.forced_open_at, None, tool.forced_open_reason)
    return _mirrored(tool)


def look_at_breaker(tool: Tool, seen: BreakerSnapshot | None = None) -> ShownBreaker:
    """Return the breaker as a person left it, else as it stands: for a page about one tool."""
    if tool.forced_open_at is not None:
        return recall_breaker(tool)
    return _as_it_stands(_mirrored(tool), seen or breaker().snapshot(tool.pk))


def reconcile_breakers() -> int:
    """Mirror the breakers that nobody saw move; return how many."""
    return sum(_reconcile(tool) for tool in Tool.objects.select_related("breaker_state"))


def _reconcile(tool: Tool) -> bool:
    before = _mirrored(tool)
    seen = breaker().snapshot(tool.pk)
    keep_moves(tool, seen.moves)
    found = _as_it_stands(before, seen)
    if found == before:
        return False
    if found.reason == FORGOTTEN:
        keep_moves(tool, [_forgotten(before)])
    values = {**asdict(found), "changed_at": timezone.now()}
    if before.changed_at is None:
        BreakerState.objects.bulk_create([BreakerState(tool=tool, **values)], ignore_conflicts=True)
        return True
    # A worker that has seen the breaker move since the row was read knows better.
    rows = BreakerState.objects.filter(tool=tool, changed_at=before.changed_at)
    return rows.update(**values) > 0


def keep_moves(tool: Tool, moves: Iterable[Transition]) -> None:
    """Write down moves that nobody else has; those that are known are left alone."""
    rows = [
        BreakerTransition(
            tool=tool, at=moment(moved.at_ms), before=moved.before, after=moved.after, reason=moved.reason,
            retry_at=moved.retry_at,
        )
        for moved in moves
    ]  # fmt: skip
    if rows:
        BreakerTransition.objects.bulk_create(rows, ignore_conflicts=True)


def _forgotten(before: ShownBreaker) -> Transition:
    """Return the move of a breaker that is closed because nothing remembers what had opened it; when is a guess."""
    now_ms = int(timezone.now().timestamp() * 1000)
    return Transition(cast(Any, before.state), "closed", cast(Any, FORGOTTEN), at_ms=now_ms)


def _mirrored(tool: Tool) -> ShownBreaker:
    row: BreakerState | None = getattr(tool, "breaker_state", None)
    return (
        ShownBreaker("closed")
        if row is None
        else ShownBreaker(row.state, row.changed_at, row.retry_at, row.reason)
    )


def _as_it_stands(mirrored: ShownBreaker, seen: BreakerSnapshot) -> ShownBreaker:
    """Correct what was mirrored by what is seen, except where Redis is away: this process alone has seen little."""
    if seen.local or seen.state == mirrored.state:
        return mirrored
    if seen.state == "closed":
        return ShownBreaker("closed", reason=FORGOTTEN)
    reason = "" if mirrored.state == "closed" else mirrored.reason
    return ShownBreaker(seen.state, None, seen.retry_at if seen.state == "open" else None, reason)


def show_transition(spec: ToolSpec, transition: Transition) -> None:
    """Show people that a breaker has moved. A fault of the picture is logged: what happened does not depend on it."""
    try:
        record_transition(spec, transition)
    except Exception:  # a boundary: a call that has been made is not undone by a picture that was not
        logger.exception("the breaker of %s is %s, which could not be shown", spec.name, transition.after)
