"""How many requests a client may make: counted in Redis for all processes, announced in every answer.

Header fields: draft-ietf-httpapi-ratelimit-headers-10. Without Redis each process counts for itself, so that
neither a flood gets through nor an emergency stop is refused because a cache is down.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cache
from math import ceil

import redis
from django.conf import settings
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from agentops.strangers import network_of

_REDIS_TIMEOUT_S = 0.25
_REDIS_REST_S = 1.0  # after a failure: a Redis that hangs must not cost every request the timeout
_MAX_LOCAL_WINDOWS = 10_000


@dataclass(frozen=True, slots=True)
class Policy:
    """So many requests per window, in seconds, of each client."""

    name: str
    quota: int
    window_s: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands within a policy after a request; `resets_in_s` is rounded up."""

    policy: Policy
    used: int
    resets_in_s: int

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.policy.quota

    def headers(self) -> dict[str, str]:
        """Return the header fields that announce policy and standing."""
        name, left = self.policy.name, max(0, self.policy.quota - self.used)
        return {
            "RateLimit-Policy": f'"{name}";q={self.policy.quota};w={self.policy.window_s}',
            "RateLimit": f'"{name}";r={left};t={self.resets_in_s}',
        }


class RateLimit(BaseThrottle):
    """DRF's throttle: reads and writes of one account are counted apart."""

    standing: Standing | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; the answer carries the standing whether it is allowed or not."""
        if not request.user.pk:
            return self.allow_stranger(request)
        return self._allow(request, str(request.user.pk))

    def allow_stranger(self, request: Request) -> bool:
        """Count the request for the address that it comes from."""
        return self._allow(request, network_of(request))

    def _allow(self, request: Request, client: str) -> bool:
        policy = read_policy("read" if request.method in SAFE_METHODS else "write")
        self.standing = count_request(policy, client)
        return not self.standing.is_exceeded

    def wait(self) -> float | None:
        """Return the seconds until the window ends, for Retry-After."""
        return float(self.standing.resets_in_s) if self.standing else None


def read_policy(name: str) -> Policy:
    """Return a policy of the settings: RATE_LIMITS maps a name to (requests, seconds)."""
    quota, window_s = settings.RATE_LIMITS[name]
    return Policy(name, quota, window_s)


def count_request(policy: Policy, client: str) -> Standing:
    """Count one request of a client and return its standing. A window begins with its first request."""
    key = f"{settings.REDIS_PREFIX}:rate:{policy.name}:{client}"
    if time.monotonic() >= _local.redis_rests_until:
        try:
            return _count_shared(policy, key)
        except redis.RedisError:
            _local.redis_rests_until = time.monotonic() + _REDIS_REST_S
    return _local.count(policy, key)


def _count_shared(policy: Policy, key: str) -> Standing:
    with _client(settings.REDIS_URL).pipeline(transaction=True) as pipe:
        pipe.set(key, 0, ex=policy.window_s, nx=True)
        pipe.incr(key)
        pipe.pttl(key)
        _, used, left_ms = pipe.execute()
    return Standing(policy, int(used), max(1, ceil(int(left_ms) / 1000)))


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=_REDIS_TIMEOUT_S, socket_connect_timeout=_REDIS_TIMEOUT_S, retry=None
    )


class LocalWindows:
    """The counters of this process, used while Redis does not answer."""

    def __init__(self) -> None:
        self.redis_rests_until = 0.0
        self._windows: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def count(self, policy: Policy, key: str) -> Standing:
        """Count one request here."""
        now = time.monotonic()
        with self._lock:
            ends, used = self._windows.get(key, (0.0, 0))
            if ends <= now:
                if len(self._windows) >= _MAX_LOCAL_WINDOWS:
                    self._windows.clear()
                ends, used = now + policy.window_s, 0
            self._windows[key] = (ends, used + 1)
        return Standing(policy, used + 1, max(1, ceil(ends - now)))


_local = LocalWindows()
