"""The circuit breaker of each tool: shared by all workers through Redis, local to this process without it.

A person's forced-open is a row in PostgreSQL, not a state here: callers pass it in, so a flushed Redis
does not lift it.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import redis
from django.conf import settings as installed
from redis.backoff import NoBackoff
from redis.retry import Retry

from agentops.engine import breaker as rules
from agentops.engine.breaker import Admission, BreakerSettings, BreakerState, Mode, Transition
from agentops.errors import AgentOpsError
from tools.shared_breaker import SharedBreaker

logger = logging.getLogger(__name__)

T = TypeVar("T")

REDIS_TIMEOUT_S = 0.5
REDIS_PAUSE_S = 5.0  # after a failure Redis is left alone this long, or every call would wait for its timeout
MOST_LOCAL_BREAKERS = 1000


@dataclass(frozen=True, slots=True)
class BreakerSnapshot:
    """What a page about a tool shows: counts are those of the window."""

    state: Mode
    consecutive: int
    calls: int
    failures: int
    trips: int
    retry_at: datetime | None
    local: bool
    moves: tuple[Transition, ...] = ()  # the latest, newest first, as far as they are remembered


class LocalBreaker:
    """The same breakers, remembered by this process alone; the tools used least recently are forgotten."""

    def __init__(self, clock_ms: Callable[[], int] | None = None) -> None:
        self._clock_ms = clock_ms or (lambda: time.time_ns() // 1_000_000)
        self._states: OrderedDict[UUID, BreakerState] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, tool_id: UUID, settings: BreakerSettings, token: str) -> Admission:
        with self._lock:
            state, admission = rules.admit(self._get(tool_id), settings, self._clock_ms(), token)
            self._put(tool_id, state)
        return replace(admission, local=True)

    def record(
        self, tool_id: UUID, settings: BreakerSettings, ok: bool | None, token: str | None
    ) -> Transition | None:
        with self._lock:
            state, transition = rules.record(self._get(tool_id), settings, self._clock_ms(), ok, token)
            self._put(tool_id, state)
        return transition

    def settle(
        self, tool_id: UUID, settings: BreakerSettings, ok: bool | None, token: str | None, *, retry: bool
    ) -> tuple[Transition | None, bool]:
        transition = self.record(tool_id, settings, ok, token)
        return transition, not retry or self.spend_retry(tool_id, settings)

    def spend_retry(self, tool_id: UUID, settings: BreakerSettings) -> bool:
        with self._lock:
            state, granted = rules.spend_retry(self._get(tool_id), settings, self._clock_ms())
            self._put(tool_id, state)
        return granted

    def read(self, tool_id: UUID) -> tuple[BreakerState, int, tuple[Transition, ...]]:
        """Return the state and the present time in ms; moves are remembered by nobody."""
        with self._lock:
            return self._get(tool_id), self._clock_ms(), ()

    def reset(self, tool_id: UUID) -> None:
        with self._lock:
            self._states.pop(tool_id, None)

    def clear(self) -> None:
        with self._lock:
            self._states.clear()

    def _get(self, tool_id: UUID) -> BreakerState:
        return self._states.get(tool_id, BreakerState())

    def _put(self, tool_id: UUID, state: BreakerState) -> None:
        self._states[tool_id] = state
        self._states.move_to_end(tool_id)
        if len(self._states) > MOST_LOCAL_BREAKERS:
            self._states.popitem(last=False)


class Breaker:
    """Admit calls and take in their verdicts: through Redis while it answers, locally while it does not."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._shared = SharedBreaker(client, prefix)
        self._local = LocalBreaker()
        self._redis_due_at = 0.0  # monotonic; 0 while Redis is well

    def admit(self, tool_id: UUID, settings: BreakerSettings, *, forced_open: bool = False) -> Admission:
        """Decide whether a call may go out now. An allowed call owes one `record`."""
        if forced_open:
            return Admission(allowed=False, state="forced_open")
        token = secrets.token_hex(8)
        return self._ask(
            lambda: self._shared.admit(tool_id, settings, token),
            lambda: self._local.admit(tool_id, settings, token),
        )

    def record(
        self, tool_id: UUID, settings: BreakerSettings, ok: bool | None, probe_token: str | None = None
    ) -> Transition | None:
        """Take in a verdict (`tools.outcomes.breaker_verdict`); return the transition it caused, if any.

        `ok` None gives a probe back unused: the tool was never asked.
        """
        return self.settle(tool_id, settings, ok, probe_token, retry=False)[0]

    def settle(
        self,
        tool_id: UUID,
        settings: BreakerSettings,
        ok: bool | None,
        probe_token: str | None = None,
        *,
        retry: bool,
    ) -> tuple[Transition | None, bool]:
        """Take in a verdict as `record` does, and for a `retry` say whether the retry budget grants it."""
        return self._ask(
            lambda: self._shared.settle(tool_id, settings, ok, probe_token, retry=retry),
            lambda: self._local.settle(tool_id, settings, ok, probe_token, retry=retry),
        )

    def spend_retry(self, tool_id: UUID, settings: BreakerSettings) -> bool:
        """Take one retry out of the tool's budget; False when it is used up."""
        return self._ask(
            lambda: self._shared.spend_retry(tool_id, settings),
            lambda: self._local.spend_retry(tool_id, settings),
        )

    def snapshot(self, tool_id: UUID, settings: BreakerSettings | None = None) -> BreakerSnapshot:
        """Describe a breaker for people; `settings` give the window that is counted."""
        (state, now_ms, moves), local = self._ask(
            lambda: (self._shared.read(tool_id), False), lambda: (self._local.read(tool_id), True)
        )
        calls, failures = rules.tally(state, settings or BreakerSettings(), now_ms)
        retry_at = rules.moment(state.retry_at_ms) if state.retry_at_ms else None
        return BreakerSnapshot(
            state.mode, state.consecutive, calls, failures, state.trips, retry_at, local, moves
        )

    def reset(self, tool_id: UUID) -> None:
        """Close a breaker and forget what it counted. Raises AgentOpsError while Redis does not answer."""
        self._local.reset(tool_id)
        try:
            self._shared.reset(tool_id)
        except redis.RedisError as error:
            raise AgentOpsError(
                "breaker_unreachable", "The shared breaker does not answer; try again.", retryable=True
            ) from error

    def _ask(self, shared: Callable[[], T], local: Callable[[], T]) -> T:
        due_at = self._redis_due_at
        if due_at:
            if time.monotonic() < due_at:
                return local()
            self._redis_due_at = time.monotonic() + REDIS_PAUSE_S  # one caller tries, the others stay local
        try:
            answer = shared()
        except redis.RedisError as error:
            if not due_at:
                logger.warning("breaker goes local, Redis fails: %s", error)
            self._redis_due_at = time.monotonic() + REDIS_PAUSE_S
            return local()
        if due_at:
            logger.warning("breaker is shared again")
            self._redis_due_at = 0.0
            self._local.clear()  # the next outage starts from what is known then, not from this one
        return answer


def connect_breaker(url: str, prefix: str = "") -> Breaker:
    """Return a breaker on a Redis client of its own; `url` as redis-py takes it (redis://, rediss://, unix://).

    Short timeouts and no retries: a bad Redis costs a call half a second.
    """
    return Breaker(connect(url), prefix)


def connect(url: str) -> redis.Redis:
    """Return a client that tells soon when Redis does not answer."""
    return redis.Redis.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


_breakers: dict[int, Breaker] = {}  # by process: a Redis client must not cross a fork


def breaker() -> Breaker:
    """Return this process's view of the shared breakers."""
    process = os.getpid()
    if process not in _breakers:
        _breakers[process] = connect_breaker(installed.REDIS_URL, installed.REDIS_PREFIX)
    return _breakers[process]
