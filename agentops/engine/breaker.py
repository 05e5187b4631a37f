"""When to stop calling a tool that fails, as values: closed, open, half-open with exactly one probe.

Pure: now (milliseconds since the epoch) and the probe's token come in as arguments. The Redis script that all
workers share decides by the same rules; a test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

Mode = Literal["closed", "open", "half_open"]

BUCKETS = 12  # the sliding window moves in twelfths: 5 s of 60 s
LARGEST_DOUBLING = 30
SHORTEST_S = BUCKETS / 1000  # the window is counted in buckets of whole milliseconds
LONGEST_S = 7 * 86_400.0
# The retry budget: what a tool in trouble gets on top of its calls, and what a quiet tool gets all the same.
RETRY_PERCENT = 10
RETRY_FLOOR = 10


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When a breaker trips and how long it stays open; seconds throughout.

    It trips on `consecutive_failures` in a row, or when at least `failure_rate` of at least `minimum_calls`
    in the window failed. `probe_lease_s` must outlast one call of the tool, or a second probe starts beside
    the first. Raises ValueError for settings that could never close or never open.
    """

    consecutive_failures: int = 5
    failure_rate: float = 0.5
    minimum_calls: int = 20
    window_s: float = 60.0
    open_s: float = 30.0
    open_cap_s: float = 300.0
    probe_lease_s: float = 15.0

    def __post_init__(self) -> None:
        if self.consecutive_failures < 1 or self.minimum_calls < 1 or not 0 < self.failure_rate <= 1:
            raise ValueError("a breaker needs at least one failure, one call and a rate in (0, 1]")
        spans = (self.window_s, self.open_s, self.open_cap_s, self.probe_lease_s)
        if not all(SHORTEST_S <= span <= LONGEST_S for span in spans) or self.open_cap_s < self.open_s:
            raise ValueError("a breaker needs spans of 12 ms to a week, and open_cap_s of at least open_s")

    @property
    def bucket_ms(self) -> int:
        return int(self.window_s * 1000) // BUCKETS

    def open_ms(self, trips: int) -> int:
        """Return how long the breaker stays open after `trips` trips without a success between them."""
        return int(min(self.open_cap_s, self.open_s * 2 ** min(trips - 1, LARGEST_DOUBLING)) * 1000)


@dataclass(frozen=True, slots=True)
class Bucket:
    start_ms: int
    calls: int
    failures: int
    retries: int = 0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """Everything a breaker remembers. The default is a breaker that has seen nothing."""

    mode: Mode = "closed"
    consecutive: int = 0
    trips: int = 0
    retry_at_ms: int = 0
    probe_token: str = ""
    probe_until_ms: int = 0
    buckets: tuple[Bucket, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call may go out. A `probe_token` has to be handed back with the call's verdict.

    `local`: decided by this process alone, because the shared breaker could not be reached.
    """

    allowed: bool
    state: Literal["closed", "open", "half_open", "forced_open"]
    retry_at: datetime | None = None
    probe_token: str | None = None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """A move of a breaker; `at_ms` is when, by the clock of whoever moved it: with the tool it names the move."""

    before: Mode
    after: Mode
    reason: Literal["consecutive_failures", "failure_rate", "probe_failed", "probe_succeeded"]
    retry_at: datetime | None = None
    at_ms: int = 0


def moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def admit(
    state: BreakerState, settings: BreakerSettings, now_ms: int, token: str
) -> tuple[BreakerState, Admission]:
    """Decide about one call; `token` names it, should it become the probe."""
    if state.mode == "closed":
        return state, Admission(allowed=True, state="closed")
    blocked_until_ms = state.retry_at_ms if state.mode == "open" else state.probe_until_ms
    if now_ms < blocked_until_ms:
        return state, Admission(allowed=False, state=state.mode, retry_at=moment(blocked_until_ms))
    # A lease that ran out belonged to a prober that died: the next caller takes over.
    lease_until_ms = now_ms + int(settings.probe_lease_s * 1000)
    probing = replace(state, mode="half_open", probe_token=token, probe_until_ms=lease_until_ms)
    return probing, Admission(allowed=True, state="half_open", probe_token=token)


def record(
    state: BreakerState, settings: BreakerSettings, now_ms: int, ok: bool | None, token: str | None
) -> tuple[BreakerState, Transition | None]:
    """Take in what became of a call. `ok` None: the tool was not asked, which only gives a probe back.

    While open or half-open only the probe's own verdict counts; calls admitted earlier report too late.
    """
    if state.mode == "closed":
        return (state, None) if ok is None else _record_closed(state, settings, now_ms, ok)
    if state.mode == "open" or token != state.probe_token:
        return state, None
    if ok is None:
        return replace(state, probe_until_ms=now_ms), None
    if ok:
        return BreakerState(), Transition("half_open", "closed", "probe_succeeded", at_ms=now_ms)
    return _trip(state, settings, now_ms, "probe_failed")


def tally(state: BreakerState, settings: BreakerSettings, now_ms: int) -> tuple[int, int]:
    """Return calls and failures inside the window."""
    live = _live(state, settings, now_ms)
    return sum(bucket.calls for bucket in live), sum(bucket.failures for bucket in live)


def tally_retries(state: BreakerState, settings: BreakerSettings, now_ms: int) -> int:
    """Return the retries granted inside the window."""
    return sum(bucket.retries for bucket in _live(state, settings, now_ms))


def spend_retry(state: BreakerState, settings: BreakerSettings, now_ms: int) -> tuple[BreakerState, bool]:
    """Grant one more attempt of a failed call while retries are few among the calls in the window.

    A breaker that is not closed decides by itself who goes out, so it leaves the budget alone.
    """
    if state.mode != "closed":
        return state, True
    (calls, _), retries = tally(state, settings, now_ms), tally_retries(state, settings, now_ms)
    if retries >= RETRY_FLOOR and (retries + 1) * 100 > calls * RETRY_PERCENT:
        return state, False
    buckets = _count(_live(state, settings, now_ms), settings, now_ms, retries=1)
    return replace(state, buckets=buckets), True


def _record_closed(
    state: BreakerState, settings: BreakerSettings, now_ms: int, ok: bool
) -> tuple[BreakerState, Transition | None]:
    counted = replace(
        state,
        consecutive=0 if ok else state.consecutive + 1,
        buckets=_count(_live(state, settings, now_ms), settings, now_ms, calls=1, failures=not ok),
    )
    if ok:  # a success never trips: the worst is over
        return counted, None
    if counted.consecutive >= settings.consecutive_failures:
        return _trip(counted, settings, now_ms, "consecutive_failures")
    calls, failures = tally(counted, settings, now_ms)
    if calls >= settings.minimum_calls and failures >= settings.failure_rate * calls:
        return _trip(counted, settings, now_ms, "failure_rate")
    return counted, None


def _trip(
    state: BreakerState,
    settings: BreakerSettings,
    now_ms: int,
    reason: Literal["consecutive_failures", "failure_rate", "probe_failed"],
) -> tuple[BreakerState, Transition]:
    trips = state.trips + 1
    retry_at_ms = now_ms + settings.open_ms(trips)
    opened = BreakerState(mode="open", trips=trips, retry_at_ms=retry_at_ms)
    return opened, Transition(state.mode, "open", reason, moment(retry_at_ms), now_ms)


def _live(state: BreakerState, settings: BreakerSettings, now_ms: int) -> tuple[Bucket, ...]:
    span_ms = settings.bucket_ms * BUCKETS
    return tuple(bucket for bucket in state.buckets if 0 <= now_ms - bucket.start_ms < span_ms)


def _count(
    buckets: tuple[Bucket, ...],
    settings: BreakerSettings,
    now_ms: int,
    *,
    calls: int = 0,
    failures: int = 0,
    retries: int = 0,
) -> tuple[Bucket, ...]:
    start_ms = now_ms - now_ms % settings.bucket_ms
    current = next((bucket for bucket in buckets if bucket.start_ms == start_ms), Bucket(start_ms, 0, 0))
    others = tuple(bucket for bucket in buckets if bucket.start_ms != start_ms)
    added = replace(
        current,
        calls=current.calls + calls,
        failures=current.failures + failures,
        retries=current.retries + retries,
    )
    return (*others, added)
