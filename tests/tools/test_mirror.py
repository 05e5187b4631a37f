"""What people are shown of breakers: what a worker saw, corrected by how they stand."""

from __future__ import annotations

import time

import pytest
import redis
from celery import current_app
from django.db import IntegrityError
from django.utils import timezone

from agentops.engine.breaker import BreakerSettings
from tests.cast import Cast
from tests.factories import ToolFactory
from tests.rewriting import rewrite
from tests.tools.breakers import trip, trip_unseen
from tools import mirror, tasks
from tools.breaker import Breaker, BreakerSnapshot, breaker, connect_breaker
from tools.mirror import look_at_breaker, recall_breaker, reconcile_breakers
from tools.models import BreakerState, Tool


@pytest.fixture
def tool(cast: Cast) -> Tool:
    made: Tool = ToolFactory.create(team=cast.team, name="refund")
    return made


def states(tool: Tool) -> tuple[str, str]:
    """Return what a list and what the tool's own page say."""
    fresh = Tool.objects.select_related("breaker_state").get(pk=tool.pk)
    return recall_breaker(fresh).state, look_at_breaker(fresh).state


def test_a_breaker_that_was_forgotten_is_shown_closed(tool: Tool, worker_redis: redis.Redis) -> None:
    trip(tool)
    assert states(tool) == ("open", "open")
    worker_redis.flushdb()
    assert states(tool) == ("open", "closed"), "the page asks the breaker itself"
    assert reconcile_breakers() == 1
    assert states(tool) == ("closed", "closed")
    row = BreakerState.objects.get()
    assert (row.reason, row.retry_at) == ("forgotten", None)
    assert reconcile_breakers() == 0, "what fits is left alone"


def test_a_breaker_that_nobody_saw_trip_is_shown_open(tool: Tool) -> None:
    trip_unseen(tool)
    assert states(tool) == ("closed", "open")
    assert tasks.reconcile_breakers() == 1
    assert states(tool) == ("open", "open")
    assert BreakerState.objects.get().retry_at == breaker().snapshot(tool.pk).retry_at


def test_a_probe_is_shown(tool: Tool) -> None:
    settings = BreakerSettings(consecutive_failures=1, open_s=0.012, open_cap_s=0.012)
    trip(tool, settings)
    time.sleep(0.02)
    assert breaker().admit(tool.pk, settings).state == "half_open"
    assert reconcile_breakers() == 1
    assert states(tool) == ("half_open", "half_open")
    assert BreakerState.objects.get().reason == "consecutive_failures"


def test_forced_open_stays(tool: Tool, cast: Cast, worker_redis: redis.Redis) -> None:
    trip(tool)
    Tool.objects.update(forced_open_by=cast.alice, forced_open_at=tool.created_at, forced_open_reason="leak")
    worker_redis.flushdb()
    reconcile_breakers()
    assert states(tool) == ("forced_open", "forced_open")
    assert look_at_breaker(Tool.objects.get()).reason == "leak"


def reconcile_without_redis(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> int:
    trip(tool)
    away = connect_breaker("redis://127.0.0.1:1")
    monkeypatch.setattr(mirror, "breaker", lambda: away)
    return reconcile_breakers()


def test_what_was_seen_last_is_shown_while_redis_is_away(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reconcile_without_redis(tool, monkeypatch) == 0
    assert states(tool) == ("open", "open")


def test_without_that_guard_a_breaker_is_shown_closed_while_redis_is_away(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: what this process alone has seen counts as what is."""
    rewrite(monkeypatch, mirror, "_as_it_stands", "seen.local or ", "")
    assert reconcile_without_redis(tool, monkeypatch) == 1
    assert states(tool) == ("closed", "closed")


def reconcile_while_it_trips(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> int:
    """Reconcile while a worker sees the breaker trip, after the look at it and before the row is written."""
    snapshot = Breaker.snapshot

    def look_and_trip(
        self: Breaker, tool_id: object, settings: BreakerSettings | None = None
    ) -> BreakerSnapshot:
        seen = snapshot(self, tool.pk, settings)
        trip(tool)
        return seen

    monkeypatch.setattr(Breaker, "snapshot", look_and_trip)
    return reconcile_breakers()


def test_what_a_worker_sees_meanwhile_is_not_overwritten(
    tool: Tool, worker_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip(tool)
    worker_redis.flushdb()
    assert reconcile_while_it_trips(tool, monkeypatch) == 0
    assert BreakerState.objects.get().state == "open"


def test_without_that_guard_an_open_breaker_is_shown_closed(
    tool: Tool, worker_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the row is written whatever has become of it."""
    rewrite(monkeypatch, mirror, "_reconcile", ", changed_at=before.changed_at", "")
    trip(tool)
    worker_redis.flushdb()
    assert reconcile_while_it_trips(tool, monkeypatch) == 1
    assert BreakerState.objects.get().state == "closed"


def mirror_first(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconcile a breaker of which nobody knows, while a worker writes its first row."""
    trip_unseen(tool)
    snapshot = Breaker.snapshot

    def look_and_write(
        self: Breaker, tool_id: object, settings: BreakerSettings | None = None
    ) -> BreakerSnapshot:
        seen = snapshot(self, tool.pk, settings)
        BreakerState.objects.create(tool=tool, state="open", changed_at=timezone.now(), reason="the worker's")
        return seen

    monkeypatch.setattr(Breaker, "snapshot", look_and_write)
    reconcile_breakers()


def test_a_worker_may_write_the_first_row_meanwhile(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror_first(tool, monkeypatch)
    assert BreakerState.objects.get().reason == "the worker's"


def test_without_that_guard_reconciling_fails_for_all_tools(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    rewrite(monkeypatch, mirror, "_reconcile", ", ignore_conflicts=True", "")
    with pytest.raises(IntegrityError):
        mirror_first(tool, monkeypatch)


def test_beat_reconciles() -> None:
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert tasks.reconcile_breakers.name in scheduled
