"""One table of scenarios on the local and on the shared breaker, then their agreement, races and outages."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentops.engine import breaker as rules
from agentops.engine.breaker import Admission, BreakerSettings, BreakerState, Transition
from agentops.errors import AgentOpsError
from tests.tools.valkeys import PrivateValkey, private_valkey
from tools import breaker as breaker_module
from tools import shared_breaker
from tools.breaker import Breaker, LocalBreaker, connect_breaker
from tools.shared_breaker import SharedBreaker

TOOL = UUID(int=7)
START_MS = 1_790_000_000_000
# The shipped script with one word changed: it reads a clock that the test turns, in the format of TIME.
CLOCKED_SCRIPT = shared_breaker.SCRIPT.replace("redis.call('TIME')", "redis.call('LRANGE', 'clock', 0, -1)")


class Clock:
    """A clock that stands still until it is turned; kept in Redis too, for the script to read."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.now_ms = START_MS
        self.turn(0)

    def turn(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)
        with self._client.pipeline() as pipe:
            pipe.delete("clock")
            pipe.rpush("clock", self.now_ms // 1000, self.now_ms % 1000 * 1000)
            pipe.execute()


Either = LocalBreaker | SharedBreaker


def local_breaker(_client: redis.Redis, clock: Clock) -> Either:
    return LocalBreaker(lambda: clock.now_ms)


def clocked_shared_breaker(client: redis.Redis, _clock: Clock) -> Either:
    return SharedBreaker(client, f"{uuid4()}:", CLOCKED_SCRIPT)


class Caller:
    """Calls one tool through a breaker, remembering the probe's token as the execution path would."""

    def __init__(self, subject: Either, clock: Clock, settings: BreakerSettings) -> None:
        self.subject, self.clock, self.settings = subject, clock, settings
        self.token: str | None = None
        self.count = 0

    def admit(self) -> Admission:
        self.count += 1
        admission = self.subject.admit(TOOL, self.settings, f"token-{self.count}")
        self.token = admission.probe_token or self.token
        return admission

    def record(self, ok: bool | None, token: str | None = None) -> Transition | None:
        return self.subject.record(TOOL, self.settings, ok, token)

    def perform(self, steps: str) -> list[str]:
        """Carry out steps such as "a f f w30 a p": admit, fail, ok, wait 30 s, the probe's ok or Fail.

        Returns what was seen: the state of each admission ("no:" if refused) and the transitions.
        """
        seen = []
        for step in steps.split():
            transition = None
            match step[0]:
                case "w":
                    self.clock.turn(float(step[1:]))
                case "a":
                    admission = self.admit()
                    seen.append(admission.state if admission.allowed else f"no:{admission.state}")
                case "o":
                    transition = self.record(True)
                case "f":
                    transition = self.record(False)
                case "p":
                    transition = self.record(True, self.token)
                case "F":
                    transition = self.record(False, self.token)
                case "n":
                    transition = self.record(None, self.token)
            if transition:
                seen.append(f"{transition.before}>{transition.after}:{transition.reason}")
        return seen


@pytest.fixture(params=[local_breaker, clocked_shared_breaker])
def make_caller(request: pytest.FixtureRequest, worker_redis: redis.Redis) -> Callable[..., Caller]:
    clock = Clock(worker_redis)
    subject = request.param(worker_redis, clock)
    return lambda **changes: Caller(subject, clock, BreakerSettings(**changes))


TRIPPED = "closed>open:consecutive_failures"
RATED = "closed>open:failure_rate"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("a o a o", ["closed", "closed"]),
        ("f f f f a", ["closed"]),
        ("f f f f o f f f f a", ["closed"]),
        ("f f f f f a", [TRIPPED, "no:open"]),
        # Counting in a row is not bound to the window.
        ("f w100 f w100 f w100 f w100 f a", [TRIPPED, "no:open"]),
        # 10 failures of 20 trip, on a failure; 19 calls are too few, and old ones do not count.
        ("o f " * 9 + "o f a", [RATED, "no:open"]),
        ("f o " * 10 + "a", ["closed"]),
        ("f o " * 10 + "f a", [RATED, "no:open"]),
        ("o f " * 9 + "f a", ["closed"]),
        ("o f " * 9 + "w61 o f a", ["closed"]),
        ("o f w5 " * 9 + "o f a", [RATED, "no:open"]),
        ("o o f " * 9 + "a", ["closed"]),
        # Open until its time is up, then one probe.
        ("f f f f f w29.999 a w0.001 a a", [TRIPPED, "no:open", "half_open", "no:half_open"]),
        ("f f f f f w30 a p a", [TRIPPED, "half_open", "half_open>closed:probe_succeeded", "closed"]),
        # A closed breaker starts afresh: no old counts, no old doubling.
        (
            "f f f f f w30 a p f f f f a f w30 a",
            [TRIPPED, "half_open", "half_open>closed:probe_succeeded", "closed", TRIPPED, "half_open"],
        ),
        # Open times double while probes fail: 30, 60, 120, 240, 300, 300.
        (
            "f f f f f w30 a F w59 a w1 a F w119 a w1 a F w239 a w1 a F w299 a w1 a F w299 a w1 a",
            [TRIPPED]
            + ["half_open", "half_open>open:probe_failed", "no:open"] * 5
            + ["half_open"],
        ),
        # Late words of calls admitted earlier neither open nor close anything.
        ("f f f f f o p F a", [TRIPPED, "no:open"]),
        ("f f f f f w30 a o f a", [TRIPPED, "half_open", "no:half_open"]),
        # A prober that died loses its lease after 15 s; its late word then counts for nothing.
        (
            "f f f f f w30 a w14.999 a w0.001 a a",
            [TRIPPED, "half_open", "no:half_open", "half_open", "no:half_open"],
        ),
        ("f f f f f w30 a w16 p a", [TRIPPED, "half_open", "half_open>closed:probe_succeeded", "closed"]),
        # A probe given back unused goes to the next caller; when closed there is nothing to give back.
        ("f f f f f w30 a n a a", [TRIPPED, "half_open", "half_open", "no:half_open"]),
        ("f f f f n f a", [TRIPPED, "no:open"]),
    ],
)  # fmt: skip
def test_scenario(make_caller: Callable[..., Caller], steps: str, expected: list[str]) -> None:
    assert make_caller().perform(steps) == expected


def test_settings_are_those_of_the_tool(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller(consecutive_failures=2, open_s=1.0, open_cap_s=1.5, probe_lease_s=0.5)
    assert caller.perform("f f w0.999 a w0.001 a w0.5 a F w1.5 a") == [
        TRIPPED, "no:open", "half_open", "half_open", "half_open>open:probe_failed", "half_open",
    ]  # fmt: skip
    rated = make_caller(consecutive_failures=100, minimum_calls=3, failure_rate=1.0, window_s=6.0)
    rated.subject.reset(TOOL)
    assert rated.perform("f f w6 f a f f") == ["closed", RATED]


def test_a_stale_probe_counts_for_nothing(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("f f f f f w30 a")
    stale = caller.token
    caller.perform("w15 a")
    assert caller.record(True, stale) is None
    assert caller.record(False, stale) is None
    assert caller.admit().state == "half_open"
    transition = caller.record(True, caller.token)
    assert transition is not None
    assert transition.after == "closed"


def test_a_refusal_and_a_trip_say_when_the_next_probe_may_go(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("f f f f")
    transition = caller.record(False)
    assert transition is not None
    assert transition.retry_at == rules.moment(START_MS + 30_000)
    assert caller.admit().retry_at == transition.retry_at
    caller.perform("w30 a")
    assert caller.admit().retry_at == rules.moment(START_MS + 45_000)


def test_reset_closes_and_forgets(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("f f f f f")
    caller.subject.reset(TOOL)
    assert caller.perform("a f f f f a") == ["closed", "closed"]


def test_tools_do_not_share_a_breaker(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("f f f f f")
    assert caller.subject.admit(UUID(int=8), caller.settings, "t").allowed


# --- the retry budget -------------------------------------------------------------------------------------


def granted(caller: Caller, times: int) -> int:
    return sum(caller.subject.spend_retry(TOOL, caller.settings) for _ in range(times))


@pytest.mark.parametrize(
    ("steps", "retries"),
    [
        ("", 10),  # a quiet tool may retry all the same
        ("o " * 100, 10),
        ("o " * 109, 10),
        ("o " * 110, 11),
        ("o o o f " * 50, 20),
        ("o " * 200 + "w61", 10),
    ],
)
def test_retries_are_a_tenth_of_the_calls_in_the_window(
    make_caller: Callable[..., Caller], steps: str, retries: int
) -> None:
    caller = make_caller()
    caller.perform(steps)
    assert granted(caller, 50) == retries
    caller.perform("w61")
    assert granted(caller, 50) == 10, "the window moves on"


def test_a_failed_call_counts_before_it_asks_for_a_retry(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("o " * 108)
    assert granted(caller, 10) == 10
    settled = [caller.subject.settle(TOOL, caller.settings, False, None, retry=True) for _ in range(3)]
    assert settled == [(None, False), (None, True), (None, False)]


def test_an_open_breaker_leaves_the_retry_budget_alone(make_caller: Callable[..., Caller]) -> None:
    caller = make_caller()
    caller.perform("f f f f")
    assert granted(caller, 11) == 10
    transition, left = caller.subject.settle(TOOL, caller.settings, False, None, retry=True)
    assert (transition is not None, left) == (True, True)
    assert granted(caller, 11) == 11
    caller.perform("w30 a p")
    assert granted(caller, 11) == 10, "a breaker that closes starts afresh"


def test_workers_share_one_retry_budget(worker_redis: redis.Redis) -> None:
    workers = [SharedBreaker(worker_redis, "budget:") for _ in range(4)]
    settings, grants = BreakerSettings(consecutive_failures=1000, minimum_calls=1000), []

    def fail(worker: SharedBreaker) -> None:
        for _ in range(10):
            grants.append(worker.settle(TOOL, settings, False, None, retry=True)[1])

    threads = [threading.Thread(target=fail, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(grants), sum(grants)) == (40, 10)


def test_a_bucket_written_before_there_was_a_retry_budget_still_counts(worker_redis: redis.Redis) -> None:
    clock = Clock(worker_redis)
    shared = SharedBreaker(worker_redis, "old:", CLOCKED_SCRIPT)
    start = START_MS - START_MS % 5000
    worker_redis.hset(f"old:breaker:{TOOL}", f"bucket{start // 5000 % rules.BUCKETS}", f"{start}:200:0")
    assert sum(shared.spend_retry(TOOL, BreakerSettings()) for _ in range(30)) == 20
    assert rules.tally(shared.read(TOOL)[0], BreakerSettings(), clock.now_ms) == (200, 0)


class Agreement(RuleBasedStateMachine):
    """Whatever happens in whatever order, script and rules hold the same state and give the same answers."""

    client: redis.Redis  # set by the test that runs the machine

    @initialize(
        threshold=st.integers(1, 6),
        rate=st.sampled_from([0.25, 0.5, 1.0]) | st.floats(0.05, 1.0),
        minimum=st.integers(1, 12),
        window_s=st.sampled_from([0.1, 1.0, 60.0, 61.7]),
        open_s=st.sampled_from([0.05, 1.0, 30.0]),
        factor=st.sampled_from([1.0, 3.3, 10.0]),
        lease_s=st.sampled_from([0.02, 15.0]),
    )
    def configure(
        self,
        threshold: int,
        rate: float,
        minimum: int,
        window_s: float,
        open_s: float,
        factor: float,
        lease_s: float,
    ) -> None:
        self.settings = BreakerSettings(threshold, rate, minimum, window_s, open_s, open_s * factor, lease_s)
        self.client.flushdb()
        self.clock = Clock(self.client)
        self.shared = SharedBreaker(self.client, "agree:", CLOCKED_SCRIPT)
        self.state = BreakerState()
        self.tokens: list[str] = []

    @rule(seconds=st.floats(0, 400) | st.floats(0, 8) | st.floats(0, 0.03))
    def wait(self, seconds: float) -> None:
        self.clock.turn(seconds)

    @rule()
    def fail_until_open(self) -> None:
        for _ in range(self.settings.consecutive_failures):
            self.record(ok=False, back=-1)

    @rule(early_ms=st.integers(0, 1))
    def admit_when_due(self, early_ms: int) -> None:
        due_ms = self.state.retry_at_ms if self.state.mode == "open" else self.state.probe_until_ms
        self.clock.turn(max(due_ms - early_ms - self.clock.now_ms, 0) / 1000)
        self.admit()

    @rule()
    def admit(self) -> None:
        token = f"token-{len(self.tokens)}"
        self.tokens.append(token)
        self.state, expected = rules.admit(self.state, self.settings, self.clock.now_ms, token)
        assert self.shared.admit(TOOL, self.settings, token) == expected

    @rule(ok=st.sampled_from([True, False, None]), back=st.integers(-1, 2))
    def record(self, ok: bool | None, back: int) -> None:
        """Record a verdict with the last token, an older one, or none."""
        token = self.tokens[-1 - back] if 0 <= back < len(self.tokens) else None
        self.state, expected = rules.record(self.state, self.settings, self.clock.now_ms, ok, token)
        assert self.shared.record(TOOL, self.settings, ok, token) == expected

    @rule(ok=st.sampled_from([True, False, None]), times=st.integers(1, 12))
    def settle_with_a_retry(self, ok: bool | None, times: int) -> None:
        for _ in range(times):
            self.state, moved = rules.record(self.state, self.settings, self.clock.now_ms, ok, None)
            self.state, granted = rules.spend_retry(self.state, self.settings, self.clock.now_ms)
            assert self.shared.settle(TOOL, self.settings, ok, None, retry=True) == (moved, granted)

    @rule()
    def spend_retry(self) -> None:
        self.state, granted = rules.spend_retry(self.state, self.settings, self.clock.now_ms)
        assert self.shared.spend_retry(TOOL, self.settings) == granted

    @invariant()
    def states_are_equal(self) -> None:
        if not hasattr(self, "state"):
            return
        kept, _, _ = self.shared.read(TOOL)
        assert strip(kept) == strip(self.state)
        now_ms = self.clock.now_ms
        assert rules.tally(kept, self.settings, now_ms) == rules.tally(self.state, self.settings, now_ms)
        retries = rules.tally_retries(self.state, self.settings, now_ms)
        assert rules.tally_retries(kept, self.settings, now_ms) == retries


def strip(state: BreakerState) -> tuple[object, ...]:
    """Return what both must agree on; of the buckets only what they sum up to, see the tally."""
    return (
        state.mode,
        state.consecutive,
        state.trips,
        state.retry_at_ms,
        state.probe_token,
        state.probe_until_ms,
    )


@pytest.mark.rude
@pytest.mark.slow
def test_script_and_rules_agree(worker_redis: redis.Redis) -> None:
    machine = type("BoundAgreement", (Agreement,), {"client": worker_redis})
    case = machine.TestCase  # type: ignore[attr-defined]  # hypothesis adds it to each machine class
    case.settings = hypothesis_settings(max_examples=60, stateful_step_count=60, deadline=None)
    case().runTest()


@pytest.fixture
def breaker(worker_redis: redis.Redis) -> Breaker:
    return Breaker(worker_redis, f"{uuid4()}:")


def trip(breaker: Breaker, settings: BreakerSettings) -> Transition:
    for _ in range(settings.consecutive_failures - 1):
        breaker.record(TOOL, settings, False)
    transition = breaker.record(TOOL, settings, False)
    assert transition is not None
    return transition


def test_the_shipped_script_takes_redis_time(breaker: Breaker, worker_redis: redis.Redis) -> None:
    before_s, before_us = worker_redis.time()
    transition = trip(breaker, BreakerSettings())
    after_s, after_us = worker_redis.time()
    assert transition.retry_at is not None
    opened_at_us = round(transition.retry_at.timestamp() * 1000 - 30_000) * 1000
    assert before_s * 1_000_000 + before_us - 1000 <= opened_at_us <= after_s * 1_000_000 + after_us


def test_workers_share_one_breaker(worker_redis: redis.Redis) -> None:
    prefix = f"{uuid4()}:"
    here, there = Breaker(worker_redis, prefix), Breaker(worker_redis, prefix)
    trip(here, BreakerSettings())
    refusal = there.admit(TOOL, BreakerSettings())
    assert (refusal.allowed, refusal.state, refusal.local) == (False, "open", False)
    assert there.snapshot(TOOL).state == "open"
    there.reset(TOOL)
    assert here.admit(TOOL, BreakerSettings()).allowed


def test_what_redis_keeps_is_bounded_and_expires(worker_redis: redis.Redis) -> None:
    clock = Clock(worker_redis)
    shared = SharedBreaker(worker_redis, "bound:", CLOCKED_SCRIPT)
    settings = BreakerSettings(consecutive_failures=10_000, minimum_calls=10_000)
    for number in range(100):
        clock.turn(1.7)
        shared.record(TOOL, settings, number % 2 == 0, None)
    key = f"bound:breaker:{TOOL}"
    assert worker_redis.hlen(key) <= 6 + rules.BUCKETS
    assert settings.open_cap_s * 1000 < worker_redis.pttl(key) <= (3600 + 300 + 60) * 1000


def test_it_survives_a_flushed_script_cache(breaker: Breaker, worker_redis: redis.Redis) -> None:
    assert breaker.admit(TOOL, BreakerSettings()).allowed
    worker_redis.script_flush()
    admission = breaker.admit(TOOL, BreakerSettings())
    assert (admission.allowed, admission.local) == (True, False)


def test_forced_open_is_the_callers_word_and_survives_a_flush(
    breaker: Breaker, worker_redis: redis.Redis
) -> None:
    worker_redis.flushdb()
    refusal = breaker.admit(TOOL, BreakerSettings(), forced_open=True)
    assert (refusal.allowed, refusal.state, refusal.retry_at) == (False, "forced_open", None)


def test_a_snapshot_counts_the_window(breaker: Breaker) -> None:
    for ok in (True, False, True):
        breaker.record(TOOL, BreakerSettings(), ok)
    snapshot = breaker.snapshot(TOOL, BreakerSettings())
    assert (snapshot.state, snapshot.calls, snapshot.failures, snapshot.consecutive) == ("closed", 3, 1, 0)
    assert snapshot.retry_at is None


def admit_at_once(breaker: Breaker, settings: BreakerSettings, callers: int) -> list[Admission]:
    """Admit from many threads that start together."""
    barrier = threading.Barrier(callers)
    admissions: list[Admission] = []

    def call() -> None:
        barrier.wait()
        admissions.append(breaker.admit(TOOL, settings))

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return admissions


def wait_until_due(breaker: Breaker) -> None:
    retry_at = breaker.snapshot(TOOL).retry_at
    assert retry_at is not None
    while time.time() < retry_at.timestamp() + 0.002:
        time.sleep(0.005)


def one_probe_of_fifty(breaker: Breaker, *, local: bool) -> None:
    settings = BreakerSettings(open_s=0.05)
    trip(breaker, settings)
    wait_until_due(breaker)
    admissions = admit_at_once(breaker, settings, 50)
    probes = [admission for admission in admissions if admission.allowed]
    assert len(admissions) == 50
    assert len(probes) == 1
    assert probes[0].probe_token
    assert {admission.local for admission in admissions} == {local}
    breaker.record(TOOL, settings, True, probes[0].probe_token)
    assert breaker.admit(TOOL, settings).state == "closed"


def test_of_fifty_threads_one_gets_the_probe(breaker: Breaker) -> None:
    one_probe_of_fifty(breaker, local=False)


@pytest.fixture
def own_valkey() -> Iterator[PrivateValkey]:
    with private_valkey() as server:
        yield server


def test_of_fifty_threads_one_gets_the_probe_without_redis(own_valkey: PrivateValkey) -> None:
    breaker = connect_breaker(own_valkey.url)
    own_valkey.kill()
    one_probe_of_fifty(breaker, local=True)


def test_an_outage_is_survived_locally_and_forgotten_after(
    own_valkey: PrivateValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaker = connect_breaker(own_valkey.url)
    assert breaker.admit(TOOL, BreakerSettings()).local is False
    own_valkey.kill()
    admission = breaker.admit(TOOL, BreakerSettings())
    assert (admission.allowed, admission.local) == (True, True)
    with pytest.raises(AgentOpsError, match="does not answer"):
        breaker.reset(TOOL)
    trip(breaker, BreakerSettings())
    refusal = breaker.admit(TOOL, BreakerSettings())
    assert (refusal.allowed, refusal.local) == (False, True)
    assert breaker.snapshot(TOOL).local is True

    own_valkey.start()
    monkeypatch.setattr(breaker, "_redis_due_at", time.monotonic())
    admission = breaker.admit(TOOL, BreakerSettings())
    assert (admission.allowed, admission.local) == (True, False)
    own_valkey.kill()
    assert breaker.admit(TOOL, BreakerSettings()).allowed, "the new outage knows nothing of the old one"


def test_a_frozen_redis_is_asked_once_and_then_left_alone(
    own_valkey: PrivateValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = SharedBreaker._run

    def counting(self: SharedBreaker, *arguments: Any) -> Any:  # Any: passed through
        asked.append(arguments[2])
        return original(self, *arguments)

    monkeypatch.setattr(SharedBreaker, "_run", counting)
    monkeypatch.setattr(breaker_module, "REDIS_PAUSE_S", 600.0)
    breaker = connect_breaker(own_valkey.url)
    breaker.admit(TOOL, BreakerSettings())
    own_valkey.process.send_signal(signal.SIGSTOP)
    assert breaker.admit(TOOL, BreakerSettings()).local is True
    for _ in range(20):
        assert breaker.admit(TOOL, BreakerSettings()).local is True
        breaker.record(TOOL, BreakerSettings(), True)
    own_valkey.process.send_signal(signal.SIGCONT)
    assert asked == ["admit", "admit"]


def test_the_local_breaker_forgets_tools_rather_than_growing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_module, "MOST_LOCAL_BREAKERS", 10)
    local = LocalBreaker()
    for number in range(50):
        local.record(UUID(int=number), BreakerSettings(), False, None)
    remembered = [number for number in range(50) if local.read(UUID(int=number))[0] != BreakerState()]
    assert remembered == list(range(40, 50))
