"""The places of a tool that only so many calls may be made of at a time, so that a slow one harms nobody else.

All workers share them through Redis. A place is leased by Redis' own clock: one whose holder was killed comes back
by itself. Without Redis each process counts for itself, so that as many times the limit may be under way as there
are processes.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import redis

from agentops.engine.breaker import moment
from agentops.identifiers import text_of
from tools.redis_lines import Lines, pack

logger = logging.getLogger(__name__)

LEASE_MARGIN_S = 60.0  # between the taking of a place and the end of a call, beyond the call's own time
TRY_AGAIN_MS, LONGEST_WAIT_MS = 2_000, 30_000  # beyond what a driver sleeps through with a run in its hands
REDIS_PAUSE_S = 5.0  # after a failure Redis is left alone this long, or every call would wait for its timeout

# Those who find no place are told when to come again, each at a moment of its own: if all came back together, the
# waiting themselves would keep the workers busy.
SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local places, turn = KEYS[1], KEYS[2]
local limit, token, lease_ms = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local pause_ms, longest_ms = tonumber(ARGV[4]), tonumber(ARGV[5])

local function text(number)
  return string.format('%.0f', number)
end

redis.call('ZREMRANGEBYSCORE', places, '-inf', text(now))
if redis.call('ZCARD', places) < limit then
  redis.call('ZADD', places, text(now + lease_ms), token)
  local longest = redis.call('ZREVRANGE', places, 0, 0, 'WITHSCORES')[2]
  redis.call('PEXPIRE', places, text(longest - now))
  return 0
end
local last = tonumber(redis.call('GET', turn) or 0)
local retry_at = math.floor(math.min(now + longest_ms, math.max(now + pause_ms, last + pause_ms / limit)))
redis.call('SET', turn, text(retry_at), 'PX', longest_ms)
return retry_at
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place, or when to ask again for one: then ``retry_at`` is set and nothing is held."""

    tool_id: UUID
    token: str
    local: bool = False
    retry_at: datetime | None = None


class SharedPlaces:
    """The places of all tools in one Redis. Methods raise `redis.RedisError` when it does not answer."""

    def __init__(self, client: redis.Redis, prefix: str, script: str = SCRIPT) -> None:
        self._client = client
        self._prefix = prefix
        self._script = script
        self._sha = str(client.register_script(script).sha)
        self._lines = Lines(client)

    def take(self, tool_id: UUID, limit: int, lease_ms: int, token: str) -> int:
        """Return 0 for a place taken, or when to ask again, in ms."""
        key = self._key(tool_id)
        rest = (2, key, f"{key}:turn", limit, token, lease_ms, TRY_AGAIN_MS, LONGEST_WAIT_MS)
        try:
            answer: Any = self._lines.ask(pack("EVALSHA", self._sha, *rest))  # Any: as redis-py types it
        except redis.exceptions.NoScriptError:
            answer = self._lines.ask(pack("EVAL", self._script, *rest))
        return int(answer)

    def count(self, tool_id: UUID) -> int:
        """Return how many places are taken; those of the dead, whose lease is over, are not."""
        self._lines.settle_up()
        seconds, microseconds = self._client.time()
        now = int(seconds) * 1000 + int(microseconds) // 1000
        taken: Any = self._client.zcount(self._key(tool_id), f"({now}", "+inf")  # Any: as redis-py types it
        return int(taken)

    def leave(self, tool_id: UUID, token: str) -> None:
        self._lines.tell(pack("ZREM", self._key(tool_id), token))

    def _key(self, tool_id: UUID) -> str:
        return f"{self._prefix}places:{{{text_of(tool_id)}}}"


class LocalPlaces:
    """The same, counted by this process alone."""

    def __init__(self, clock_ms: Callable[[], int] | None = None) -> None:
        self._clock_ms = clock_ms or (lambda: time.time_ns() // 1_000_000)
        self._held: dict[UUID, dict[str, int]] = {}
        self._lock = threading.Lock()

    def take(self, tool_id: UUID, limit: int, lease_ms: int, token: str) -> int:
        with self._lock:
            now = self._clock_ms()
            held = {each: until for each, until in self._held.get(tool_id, {}).items() if until > now}
            if len(held) < limit:
                held[token] = now + lease_ms
            self._held[tool_id] = held
            return 0 if token in held else now + TRY_AGAIN_MS

    def leave(self, tool_id: UUID, token: str) -> None:
        with self._lock:
            held = self._held.get(tool_id, {})
            held.pop(token, None)
            if not held:
                self._held.pop(tool_id, None)


class Places:
    """Take places and leave them: through Redis while it answers, in this process while it does not."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._shared = SharedPlaces(client, prefix)
        self._local = LocalPlaces()
        self._redis_due_at = 0.0  # monotonic; 0 while Redis is well

    def take(self, tool_id: UUID, limit: int, timeout_s: float) -> Place:
        """Take a place for a call of at most ``timeout_s``, or say when to ask again. One taken owes a ``leave``."""
        token = secrets.token_hex(8)
        asked = tool_id, limit, int((timeout_s + LEASE_MARGIN_S) * 1000), token
        answer = self._ask_shared(*asked)
        local = answer is None
        retry_ms = self._local.take(*asked) if answer is None else answer
        return Place(tool_id, token, local, moment(retry_ms) if retry_ms else None)

    def leave(self, place: Place) -> None:
        """Give a place back; one that Redis does not hear of comes back when its lease is over."""
        if place.retry_at is not None:
            return
        if place.local:
            self._local.leave(place.tool_id, place.token)
            return
        try:
            self._shared.leave(place.tool_id, place.token)
        except redis.RedisError as error:
            logger.warning("a place of %s comes back late, Redis fails: %s", place.tool_id, error)

    def count(self, tool_id: UUID) -> int | None:
        """Return how many places are taken by all workers, None while Redis does not answer."""
        try:
            return self._shared.count(tool_id)
        except redis.RedisError as error:
            logger.warning("nobody knows how many places of %s are taken, Redis fails: %s", tool_id, error)
            return None

    def _ask_shared(self, tool_id: UUID, limit: int, lease_ms: int, token: str) -> int | None:
        if self._redis_due_at and time.monotonic() < self._redis_due_at:
            return None
        try:
            answer = self._shared.take(tool_id, limit, lease_ms, token)
        except redis.RedisError as error:
            logger.warning("places are counted in this process, Redis fails: %s", error)
            self._redis_due_at = time.monotonic() + REDIS_PAUSE_S
            return None
        self._redis_due_at = 0.0
        return answer
