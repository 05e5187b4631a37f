"""The breaker's rules as one Redis script, so that all workers share one state per tool and one clock.

The script repeats `agentops.engine.breaker` in Lua because a decision taken in the worker would race with
the other workers'. One hash per tool, at most 7 fields and 12 buckets, which expires by itself.

It keeps its latest moves, so that one is not lost with the worker that saw it: whoever looks later writes it down.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import redis

from agentops.engine.breaker import (
    BUCKETS,
    RETRY_FLOOR,
    RETRY_PERCENT,
    Admission,
    BreakerSettings,
    BreakerState,
    Bucket,
    Transition,
    moment,
)
from agentops.identifiers import text_of
from tools.redis_lines import Lines, pack_arguments

KEPT_S = 3600  # how long an idle breaker is remembered, beyond the longest time that it may stay open

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, verb, token, verdict = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local threshold, rate, minimum = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local bucket_ms, buckets = tonumber(ARGV[7]), tonumber(ARGV[8])
local open_s, cap_s, lease_ms, kept_ms = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), ARGV[12]
local retry, retry_percent, retry_floor = ARGV[13], tonumber(ARGV[14]), tonumber(ARGV[15])

local known = redis.call('HMGET', key,
  'mode', 'consecutive', 'trips', 'retry_at', 'probe_token', 'probe_until')
local mode, consecutive, trips = known[1] or 'closed', tonumber(known[2] or 0), tonumber(known[3] or 0)

local function text(number)
  return string.format('%.0f', number)
end

local start = now - now % bucket_ms
local field = 'bucket' .. text((start / bucket_ms) % buckets)

local function unpack_bucket(packed)
  local b, c, f, r = string.match(packed or '', '(%d+):(%d+):(%d+):?(%d*)')
  return tonumber(b), tonumber(c), tonumber(f), tonumber(r) or 0
end

local function count(called, failed, retried)
  local began, calls, failures, retries = unpack_bucket(redis.call('HGET', key, field))
  if began ~= start then
    calls, failures, retries = 0, 0, 0
  end
  redis.call('HSET', key, field, text(start) .. ':' .. text(calls + called) .. ':'
    .. text(failures + failed) .. ':' .. text(retries + retried))
  redis.call('PEXPIRE', key, kept_ms)
end

local function tally()
  local calls, failures, retries = 0, 0, 0
  for slot = 0, buckets - 1 do
    local b, c, f, r = unpack_bucket(redis.call('HGET', key, 'bucket' .. slot))
    if b and now >= b and now - b < bucket_ms * buckets then
      calls, failures, retries = calls + c, failures + f, retries + r
    end
  end
  return calls, failures, retries
end

local function move(after, reason, retry_at)
  local told = text(now) .. ',' .. mode .. ',' .. after .. ',' .. reason .. ',' .. text(retry_at) .. ';'
  local moves = string.sub(told .. (redis.call('HGET', key, 'moves') or ''), 1, 1000)
  redis.call('DEL', key)
  redis.call('HSET', key, 'moves', moves)
  redis.call('PEXPIRE', key, kept_ms)
  return {mode, after, reason, retry_at, now}
end

local function trip(reason)
  trips = trips + 1
  local retry_at = now + math.floor(math.min(cap_s, open_s * 2 ^ math.min(trips - 1, 30)) * 1000)
  local moved = move('open', reason, retry_at)
  redis.call('HSET', key, 'mode', 'open', 'trips', text(trips), 'retry_at', text(retry_at))
  return moved
end

if verb == 'admit' then
  if mode == 'closed' then
    return {1, mode, 0}
  end
  local blocked_until = tonumber((mode == 'open') and known[4] or known[6])
  if now < blocked_until then
    return {0, mode, blocked_until}
  end
  redis.call('HSET', key, 'mode', 'half_open', 'probe_token', token, 'probe_until', text(now + lease_ms))
  redis.call('PEXPIRE', key, kept_ms)
  return {1, 'half_open', 0}
end

local function record()
  if mode == 'half_open' and token == known[5] then
    if verdict == 'ok' then
      return move('closed', 'probe_succeeded', 0)
    elseif verdict == 'failed' then
      return trip('probe_failed')
    end
    redis.call('HSET', key, 'probe_until', text(now))
    return false
  end
  if mode ~= 'closed' or verdict == 'not_asked' then
    return false
  end
  local failed = (verdict == 'failed') and 1 or 0
  consecutive = (failed == 1) and consecutive + 1 or 0
  redis.call('HSET', key, 'consecutive', text(consecutive))
  count(1, failed, 0)
  if failed == 0 then
    return false
  end
  if consecutive >= threshold then
    return trip('consecutive_failures')
  end
  local calls, failures = tally()
  if calls >= minimum and failures >= rate * calls then
    return trip('failure_rate')
  end
  return false
end

local function spend_retry()
  if (redis.call('HGET', key, 'mode') or 'closed') ~= 'closed' then
    return 1
  end
  local calls, _, retries = tally()
  if retries >= retry_floor and (retries + 1) * 100 > calls * retry_percent then
    return 0
  end
  count(0, 0, 1)
  return 1
end

local moved = (verb == 'record') and record()
return {moved, (retry == 'yes') and spend_retry() or 1}
"""


class SharedBreaker:
    """The breakers of all tools in one Redis. Methods raise `redis.RedisError` when it does not answer."""

    def __init__(self, client: redis.Redis, prefix: str, script: str = SCRIPT) -> None:
        self._client = client
        self._prefix = prefix
        self._by_text = ("EVAL", script)
        self._by_sha = ("EVALSHA", str(client.register_script(script).sha))
        self._lines = Lines(client)

    def admit(self, tool_id: UUID, settings: BreakerSettings, token: str) -> Admission:
        allowed, state, blocked_until_ms = self._run(tool_id, settings, "admit", token, "")
        mode = _text(state)
        return Admission(
            allowed=bool(allowed),
            state=cast(Any, mode),  # Any: the script answers with one of the three modes
            retry_at=moment(blocked_until_ms) if not allowed else None,
            probe_token=token if allowed and mode == "half_open" else None,
        )

    def record(
        self, tool_id: UUID, settings: BreakerSettings, ok: bool | None, token: str | None
    ) -> Transition | None:
        return self.settle(tool_id, settings, ok, token, retry=False)[0]

    def settle(
        self, tool_id: UUID, settings: BreakerSettings, ok: bool | None, token: str | None, *, retry: bool
    ) -> tuple[Transition | None, bool]:
        if ok and not token and not retry:  # an ordinary success moves nothing
            self._lines.tell(self._command(self._by_sha, tool_id, settings, "record", "", "ok"))
            return None, True
        verdict = "not_asked" if ok is None else "ok" if ok else "failed"
        moved, granted = self._run(tool_id, settings, "record", token or "", verdict, retry=retry)
        return None if moved is None else _transition(*moved), bool(granted)

    def spend_retry(self, tool_id: UUID, settings: BreakerSettings) -> bool:
        _, granted = self._run(tool_id, settings, "spend", "", "", retry=True)
        return bool(granted)

    def read(self, tool_id: UUID) -> tuple[BreakerState, int, tuple[Transition, ...]]:
        """Return the state, Redis' present time in ms, and the latest moves, newest first."""
        self._lines.settle_up()
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hgetall(self._key(tool_id))
            pipe.time()
            fields, (seconds, microseconds) = pipe.execute()
        return _decode(fields), int(seconds) * 1000 + int(microseconds) // 1000, _decode_moves(fields)

    def reset(self, tool_id: UUID) -> None:
        self._lines.settle_up()
        self._client.delete(self._key(tool_id))

    def _key(self, tool_id: UUID) -> str:
        return f"{self._prefix}breaker:{text_of(tool_id)}"

    def _run(
        self,
        tool_id: UUID,
        settings: BreakerSettings,
        verb: str,
        token: str,
        verdict: str,
        *,
        retry: bool = False,
    ) -> Any:
        """Run the script; Any: Redis answers with integers and texts in lists, as the script built them."""
        what = tool_id, settings, verb, token, verdict
        try:
            return self._lines.ask(self._command(self._by_sha, *what, retry=retry))
        except redis.exceptions.NoScriptError:
            return self._lines.ask(self._command(self._by_text, *what, retry=retry))

    def _command(
        self,
        script: tuple[str, str],
        tool_id: UUID,
        settings: BreakerSettings,
        verb: str,
        token: str,
        verdict: str,
        *,
        retry: bool = False,
    ) -> bytes:
        before, after = _pack_around_token((*script, 1, self._key(tool_id), verb), verdict, settings, retry)
        return before + pack_arguments(token) + after


@lru_cache(maxsize=512)
def _pack_around_token(
    start: tuple[str | int, ...], verdict: str, settings: BreakerSettings, retry: bool
) -> tuple[bytes, bytes]:
    """Return a command up to its token and from there on, which stays the same for a tool."""
    end = (verdict, *_rules(settings), "yes" if retry else "no", RETRY_PERCENT, RETRY_FLOOR)
    count = len(start) + 1 + len(end)
    return b"*%d\r\n%b" % (count, pack_arguments(*start)), pack_arguments(*end)


def _rules(settings: BreakerSettings) -> tuple[str | int, ...]:
    return (
        settings.consecutive_failures,
        repr(settings.failure_rate),
        settings.minimum_calls,
        settings.bucket_ms,
        BUCKETS,
        repr(settings.open_s),
        repr(settings.open_cap_s),
        int(settings.probe_lease_s * 1000),
        int((KEPT_S + settings.open_cap_s + settings.window_s) * 1000),
    )


def _transition(before: Any, after: Any, reason: Any, retry_at_ms: int, at_ms: int) -> Transition:
    """Return what the script tells of a move; Any: its modes and reasons, as bytes or text."""
    retry_at = moment(retry_at_ms) if retry_at_ms else None
    was, is_now, why = (cast(Any, _text(word)) for word in (before, after, reason))
    return Transition(was, is_now, why, retry_at, at_ms)


def _decode_moves(fields: dict[Any, Any]) -> tuple[Transition, ...]:  # Any: as below
    """Return the moves that are kept whole; the oldest may have been cut off in its middle."""
    packed = next((_text(value) for name, value in fields.items() if _text(name) == "moves"), "")
    parts = (move.split(",") for move in packed.split(";")[:-1])
    return tuple(
        _transition(before, after, reason, int(retry_at), int(at))
        for at, before, after, reason, retry_at in parts
    )


def _decode(fields: dict[Any, Any]) -> BreakerState:  # Any: bytes or text, as the client was set up
    known = {_text(name): _text(value) for name, value in fields.items()}
    packed = (known[name].split(":") for name in known if name.startswith("bucket"))
    return BreakerState(
        mode=cast(Any, known.get("mode", "closed")),  # Any: the script writes one of the three modes
        consecutive=int(known.get("consecutive", 0)),
        trips=int(known.get("trips", 0)),
        retry_at_ms=int(known.get("retry_at", 0)),
        probe_token=known.get("probe_token", ""),
        probe_until_ms=int(known.get("probe_until", 0)),
        buckets=tuple(sorted((Bucket(*map(int, parts)) for parts in packed), key=lambda b: b.start_ms)),
    )


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
