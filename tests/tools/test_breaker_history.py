"""How a breaker has moved: recorded whoever dies, read with people's hands in it, drawn with a table behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from agentops.engine.breaker import BreakerSettings, Transition
from runs import retention
from tests.cast import Cast
from tests.console.visits import act, count_queries, page_of, sign_in, text_of
from tests.factories import ToolFactory, ToolVersionFactory
from tests.rewriting import rewrite
from tests.tools.breakers import trip_unseen
from tools import mirror, shared_breaker
from tools.breaker import breaker, connect_breaker
from tools.breaker_history import BreakerHistory, read_breaker_history
from tools.mirror import ShownBreaker, keep_moves, look_at_breaker, reconcile_breakers
from tools.models import BreakerTransition, Tool

AT_ONCE = BreakerSettings(consecutive_failures=1, open_s=0.012, open_cap_s=0.012)
TOOL = "tools_tool"


@pytest.fixture
def tool(cast: Cast) -> Tool:
    made: Tool = ToolFactory.create(team=cast.team, name="refund")
    return made


def history_of(tool: Tool) -> BreakerHistory:
    fresh = Tool.objects.get(pk=tool.pk)
    return read_breaker_history(fresh, look_at_breaker(fresh), timezone.now())


def probe(tool: Tool, ok: bool) -> Transition | None:
    """Let an open breaker's probe come back."""
    time.sleep(0.02)
    admission = breaker().admit(tool.pk, AT_ONCE)
    return breaker().record(tool.pk, AT_ONCE, ok, admission.probe_token)


def moves_of(tool: Tool) -> list[tuple[str, str, str]]:
    return list(
        BreakerTransition.objects.filter(tool=tool).order_by("at").values_list("before", "after", "reason")
    )


def test_moves_that_no_worker_lived_to_tell_are_written_down(tool: Tool) -> None:
    trip_unseen(tool, AT_ONCE)
    probe(tool, ok=False)
    probe(tool, ok=True)
    assert moves_of(tool) == []
    reconcile_breakers()
    expected = [
        ("closed", "open", "consecutive_failures"),
        ("half_open", "open", "probe_failed"),
        ("half_open", "closed", "probe_succeeded"),
    ]
    assert moves_of(tool) == expected
    reconcile_breakers()
    assert moves_of(tool) == expected, "each is written once"


def test_without_the_breakers_memory_they_are_lost(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what the breaker remembers of its moves is not written down."""
    rewrite(monkeypatch, mirror, "_reconcile", "keep_moves(tool, seen.moves)", "keep_moves(tool, [])")
    trip_unseen(tool, AT_ONCE)
    probe(tool, ok=True)
    mirror.reconcile_breakers()
    assert moves_of(tool) == []


DIE_AT_THE_MOVE = """
import os, sys, signal, uuid
from agentops.engine.breaker import BreakerSettings
from tools.breaker import connect_breaker
moved = connect_breaker(sys.argv[1], sys.argv[2]).record(
    uuid.UUID(sys.argv[3]), BreakerSettings(consecutive_failures=1, open_s=60, open_cap_s=60), False)
assert moved is not None
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_that_is_killed_at_the_move_loses_nothing(tool: Tool) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", DIE_AT_THE_MOVE, settings.REDIS_URL, settings.REDIS_PREFIX, str(tool.pk)],
        check=False,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
    )
    assert killed.returncode == -signal.SIGKILL
    reconcile_breakers()
    assert moves_of(tool) == [("closed", "open", "consecutive_failures")]
    assert history_of(tool).spans[0][2] == "open"


@pytest.mark.django_db(transaction=True)
def test_the_worker_and_the_reconciliation_write_one_row(tool: Tool) -> None:
    spec = ToolVersionFactory.create(tool=tool)
    moved = breaker().record(tool.pk, AT_ONCE, False)
    assert moved is not None

    class Spec:
        tool_id, name = spec.tool_id, tool.name

    mirror.record_transition(Spec, moved)  # type: ignore[arg-type]  # as much of a spec as is looked at
    reconcile_breakers()
    assert len(moves_of(tool)) == 1


def test_what_redis_forgot_is_a_move(tool: Tool, worker_redis: redis.Redis) -> None:
    trip_unseen(tool)
    reconcile_breakers()
    worker_redis.flushdb()
    reconcile_breakers()
    assert moves_of(tool)[-1] == ("open", "closed", "forgotten")


def test_a_breaker_remembers_its_latest_moves_only(tool: Tool) -> None:
    trip_unseen(tool, AT_ONCE)
    for _ in range(25):
        probe(tool, ok=False)
    moves = breaker().snapshot(tool.pk).moves
    assert 10 <= len(moves) <= 20
    assert [move.at_ms for move in moves] == sorted((move.at_ms for move in moves), reverse=True)
    assert len(shared_breaker.SCRIPT) < 6_000


def test_a_reset_forgets_no_move(cast: Cast, tool: Tool) -> None:
    trip_unseen(tool)
    act(sign_in(cast.alice), TOOL, "reset", tool.pk)
    assert moves_of(tool) == [("closed", "open", "consecutive_failures")]
    turns = history_of(tool).turns
    assert [(turn.what, turn.by) for turn in turns] == [("reset", "alice"), ("open", "")]
    ((first, last, state),) = history_of(tool).spans
    assert (state, last - first < timedelta(minutes=1)) == ("open", True)


def test_without_that_care_a_reset_forgets_them(
    cast: Cast, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    from tools.services import breakers

    monkeypatch.setattr(breakers, "keep_moves", lambda *_: None)
    trip_unseen(tool)
    act(sign_in(cast.alice), TOOL, "reset", tool.pk)
    assert moves_of(tool) == []


def test_what_people_did_is_told_with_who_and_why(cast: Cast, tool: Tool) -> None:
    alice = sign_in(cast.alice)
    act(alice, TOOL, "force_open", tool.pk, reason="The bank is <b>down</b>.")
    assert history_of(tool).spans[0][2] == "forced_open"
    act(alice, TOOL, "lift", tool.pk)
    page = alice.get(page_of(TOOL, "change", tool.pk))
    assert "The bank is <b>down</b>." in text_of(page)
    assert "<b>down</b>" not in page.content.decode()
    assert [(turn.what, turn.by) for turn in history_of(tool).turns] == [
        ("lifted", "alice"),
        ("forced_open", "alice"),
    ]
    assert 'class="strip"' in page.content.decode()
    assert "Never opened by itself in the last 30 days." in text_of(page)


def at(minutes_ago: float, before: str, after: str) -> Transition:
    now_ms = int((timezone.now() - timedelta(minutes=minutes_ago)).timestamp() * 1000)
    return Transition(before, after, "probe_failed", None, now_ms)  # type: ignore[arg-type]  # words that a test plays with


@pytest.mark.parametrize(
    ("moves", "shown", "expected"),
    [
        ([], "closed", []),
        ([], "open", [("since the beginning", "until now")]),
        ([(60, "closed", "open")], "open", [(60, "until now")]),
        ([(60, "closed", "open"), (50, "half_open", "open"), (40, "half_open", "closed")], "closed", [(60, 40)]),
        ([(40, "half_open", "closed")], "closed", [("since the beginning", 40)]),
        ([(60, "closed", "open"), (50, "open", "closed"), (40, "closed", "open")], "open",
         [(60, 50), (40, "until now")]),
    ],
)  # fmt: skip
def test_stretches_in_which_no_call_went_out(
    tool: Tool, moves: list[tuple[float, str, str]], shown: str, expected: list[tuple[object, object]]
) -> None:
    keep_moves(tool, [at(*move) for move in moves])
    now = timezone.now()
    history = read_breaker_history(tool, ShownBreaker(shown), now)

    def place(moment: object) -> object:
        if moment in (history.since, now):
            return "since the beginning" if moment == history.since else "until now"
        return round((now - moment).total_seconds() / 60)  # type: ignore[operator]  # a moment

    assert [(place(first), place(last)) for first, last, _ in history.spans] == expected


def test_many_moves_are_bounded_and_cost_no_more_queries(cast: Cast, tool: Tool) -> None:
    path, bob = page_of(TOOL, "change", tool.pk), sign_in(cast.bob)
    keep_moves(tool, [at(5, "closed", "open")])
    few = count_queries(bob, path)
    keep_moves(tool, [at(n, "half_open", "open") for n in range(10, 210)])
    assert count_queries(bob, path) == few
    assert len(history_of(tool).turns) == 100
    assert "before that there is more" in text_of(bob.get(path))


def test_old_moves_are_trimmed(tool: Tool) -> None:
    keep_moves(tool, [at(91 * 24 * 60, "closed", "open"), at(89 * 24 * 60, "open", "closed")])
    retention.trim(timezone.now())
    assert [after for _, after, _ in moves_of(tool)] == ["closed"]


def test_nothing_is_written_for_a_call_that_moves_nothing(tool: Tool) -> None:
    for ok in (True, False, True):
        assert breaker().record(tool.pk, BreakerSettings(), ok) is None
    reconcile_breakers()
    assert breaker().snapshot(tool.pk).moves == ()
    assert moves_of(tool) == []


def test_moves_of_a_process_of_its_own_are_named_by_its_clock(tool: Tool) -> None:
    alone = connect_breaker("redis://127.0.0.1:1")
    moved = alone.record(tool.pk, AT_ONCE, False)
    assert moved is not None
    keep_moves(tool, [moved])
    assert history_of(tool).openings == 1
