"""What a killed database costs: no run that it took down rests as if it were poisoned."""

from __future__ import annotations

import time

import pytest

from runs.chaos.arena import Arena, Timing
from runs.chaos.processes import end_processes, find_children
from tests.crash.arenas import await_endings, await_rows, open_arena, start_runs

pytestmark = [pytest.mark.crash, pytest.mark.slow]

DOWN_S = 4.0
LEASE_S = 6.0
# Leases run out, the sweeper looks every two seconds; a rest of half a minute would not fit.
BACK_WITHIN_S = 28.0
UNDER_WAY = (
    "SELECT count(*) >= 6 FROM runs_run WHERE lease_until IS NOT NULL AND steps > 0 AND ended_at IS NULL"
)
ENDINGS = "SELECT DISTINCT state, status_reason FROM runs_run"


def replace_database(arena: Arena) -> None:
    """Kill the database with SIGKILL; start it again after a while in which nobody reaches it."""
    server = next(process for process in arena.stack.processes if process.name == "postgres")
    backends = find_children(server.pid)
    arena.stack.kill(server)
    end_processes(backends)
    time.sleep(DOWN_S)
    arena.stack.start_postgres()


def test_runs_go_on_soon_after_the_database_is_back() -> None:
    with open_arena(timing=Timing(lease_s=LEASE_S, slice_s=30.0, model_delay_s=0.5), workers=1) as arena:
        start_runs(arena, 8)
        await_rows(arena, UNDER_WAY, [(True,)])
        replace_database(arena)
        back_at = time.monotonic()
        await_endings(arena)
        took_s = time.monotonic() - back_at
        endings = set(arena.read(ENDINGS))
        log = arena.stack.log_of("worker-1").read_text()

    assert endings <= {("completed", ""), ("halted", "outcome_unknown")}
    assert "the driver failed" not in log
    assert took_s < BACK_WITHIN_S
