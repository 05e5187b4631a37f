"""Calling back what is under way: one thread of a process looks whether the right to its slow calls still stands.

It polls, for messages may be lost, and asks nothing about calls that end within a moment, as nearly all do: one
statement about all slow calls of the process, twice a second, and none while there is none. Where it gets no answer
for long, nobody can say that the right stands, and the calls are called back.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from agentops.database import borrowed
from runs.concerns import is_cut_off, is_killed
from tools.policy import find_lost_authority
from tools.recall import Recall
from tools.standing import ACTORS_AS_SEEN, Authority, actors_of

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.4
SLOW_AFTER_S = 0.3  # with the above: a stop is noticed within 0.8 s of the click, or of the call's start
BLIND_FOR_S = 5.0

_ACTORS = ACTORS_AS_SEEN.format(
    application="w.application", initiator="w.initiator", identity="w.identity", principal="w.principal",
    provider="w.provider", line="r.line", credential="r.credential_id",
)  # fmt: skip
# A run that was killed shows as cancelling, which a run is too whose calls may go on: the ledger knows.
_RIGHTS = f"""
SELECT w.number, ({_ACTORS}), CASE
    WHEN {is_killed("r")} THEN 'run_killed'
    WHEN EXISTS (
        SELECT 1 FROM jsonb_array_elements(r.line) AS l(link) JOIN runs_run p ON p.id = (l.link ->> 'run')::uuid
        WHERE {is_cut_off("p")}) THEN 'parent_ended'
    WHEN t.state <> 'active' THEN 'tool_' || t.state
    WHEN t.forced_open_at IS NOT NULL THEN 'breaker_forced_open'
    WHEN NOT EXISTS (
        SELECT 1 FROM tools_toolgrant g WHERE g.identity_id = w.identity AND g.tool_id = t.id AND g.state = 'active'
            AND g.decision <> 'DENY' AND (g.valid_until IS NULL OR g.valid_until > clock_timestamp())) THEN 'no_grant'
    ELSE '' END
FROM unnest(%s::int[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[])
    AS w(number, run, identity, tool, application, initiator, principal, provider)
JOIN runs_run r ON r.id = w.run
JOIN tools_tool t ON t.id = w.tool
"""  # noqa: S608  constants only


@dataclass(frozen=True, slots=True)
class Right:
    """By what right a call is made."""

    run_id: UUID
    identity_id: UUID
    tool_id: UUID
    by: Authority

    def row(self) -> tuple[object, ...]:
        by = self.by
        return (
            self.run_id, self.identity_id, self.tool_id, by.application_id, by.started_by_id, by.principal_id,
            by.provider,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Underway:
    """A call that is being made."""

    right: Right
    recall: Recall = field(default_factory=Recall)
    since: float = field(default_factory=time.monotonic)


class Watch:
    """The calls that this process is making. Each is called back once its right has gone."""

    def __init__(self) -> None:
        self._calls: set[Underway] = set()
        self._lock = threading.Lock()
        self._watching: threading.Thread | None = None
        self._seen_at = time.monotonic()

    @contextmanager
    def over(self, right: Right) -> Iterator[Recall]:
        """Watch over a call for as long as it is made; lend what it is called back by."""
        call = Underway(right)
        with self._lock:
            self._calls.add(call)
            if self._watching is None:
                self._watching = threading.Thread(target=self._look_on, name="recalls", daemon=True)
                self._watching.start()
        try:
            yield call.recall
        finally:
            with self._lock:
                self._calls.discard(call)

    def _look_on(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            self.look()

    def look(self) -> None:
        """Call back whatever is slow and has lost its right."""
        now = time.monotonic()
        with self._lock:
            slow = [call for call in self._calls if now - call.since >= SLOW_AFTER_S and not call.recall.code]
        if not slow:
            self._seen_at = now
            return
        try:
            lost = find_lost(slow)
        # A boundary: the thread goes on, and so does the time for which it knows nothing.
        except Exception as error:
            logger.warning("whether calls under way may go on could not be read: %s", type(error).__name__)
            lost = dict.fromkeys(slow, "authority_unreadable") if now - self._seen_at >= BLIND_FOR_S else {}
        else:
            self._seen_at = time.monotonic()
        for call, code in lost.items():
            logger.info("a call of run %s is called back: %s", call.right.run_id, code)
            call.recall.call_back(code)


def find_lost(calls: Sequence[Underway]) -> dict[Underway, str]:
    """Return the calls whose right has gone, and why."""
    columns = [list(range(len(calls))), *map(list, zip(*(call.right.row() for call in calls), strict=True))]
    with borrowed() as connection:
        rows = connection.execute(_RIGHTS, columns).fetchall()
    standing = {number: _judge(calls[number], actors, code) for number, actors, code in rows}
    # What is not found is gone.
    found = {call: standing.get(number, "run_unknown") for number, call in enumerate(calls)}
    return {call: code for call, code in found.items() if code}


def _judge(call: Underway, actors: list[Any] | None, code: str) -> str:  # Any: a JSON array
    if actors is None:
        return "identity_unknown"
    return find_lost_authority(actors_of(actors, call.right.by.line), datetime.now(UTC)) or code


_watches: dict[int, Watch] = {}


def watch() -> Watch:
    """Return this process's watch (a forked child makes none of its parent's calls)."""
    process = os.getpid()
    if process not in _watches:
        _watches.setdefault(process, Watch())
    return _watches[process]
