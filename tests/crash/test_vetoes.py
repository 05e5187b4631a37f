"""Calls that are held for a veto outlive their workers: each goes out once when its time has come, or never."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import UUID

import httpx2
import psycopg
import pytest

from runs.chaos.arena import TOOLS, Arena
from tests.crash.arenas import PATIENCE_S, await_endings, open_arena, start_runs

pytestmark = [pytest.mark.crash, pytest.mark.slow]

WINDOW_S = 2
RUNS = 4
# Beside the services: what a campaign's agent may do is nobody's rule to sign here.
_HOLD = f"""
INSERT INTO tools_toolgrant (id, identity_id, tool_id, version, decision, caps, over_caps, approval_ttl_s, veto_s,
    state, waived_version_digest, waiver_reason, created_at)
SELECT gen_random_uuid(), identity_id, tool_id, version + 1, decision, caps, over_caps, approval_ttl_s, {WINDOW_S},
    'active', '', '', now() FROM tools_toolgrant WHERE state = 'superseded'
"""  # noqa: S608  a constant
HELD = """
SELECT c.run_id, c.step, c.number, c.tool_name FROM runs_tool_call c
WHERE c.state = 'held' AND c.held_until > clock_timestamp() + interval '1 second'
"""
EARLY = """
SELECT a.stream, a.seq FROM ledger_entry a JOIN LATERAL (
    SELECT max((h.facts ->> 'held_until')::timestamptz) AS until FROM ledger_entry h
    WHERE h.stream = a.stream AND h.kind IN ('call.allowed', 'call.held') AND h.seq < a.seq
        AND h.facts -> 'step' = a.facts -> 'step' AND h.facts -> 'call' = a.facts -> 'call') held ON true
WHERE a.kind = 'attempt.started' AND (held.until IS NULL OR a.at < held.until)
"""


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """Provide an arena in which every call is held for a moment."""
    with open_arena(workers=2) as arena:
        with psycopg.connect(arena.database_url(owner=True)) as owner:
            owner.execute("UPDATE tools_toolgrant SET state = 'superseded' WHERE state = 'active'")
            owner.execute(_HOLD)
        yield arena


def await_held(arena: Arena) -> list[tuple[UUID, int, int, str]]:
    deadline = time.monotonic() + PATIENCE_S
    while not (held := arena.read(HELD)):
        assert time.monotonic() < deadline, "nothing is held"
        time.sleep(0.05)
    return held


def veto(arena: Arena, run: UUID, step: int, call: int) -> int:
    answer = httpx2.post(
        f"{arena.web_url}/api/v1/runs/{run}/calls/{step}/{call}/veto",
        json={"reason": "not this one"},
        headers={"Authorization": f"Bearer {arena.api_key}"},
        timeout=10,
    )
    return answer.status_code


def test_workers_are_killed_while_calls_are_held_and_some_are_vetoed(arena: Arena) -> None:
    start_runs(arena, RUNS)
    refused: set[tuple[UUID, int, str]] = set()
    for kill in range(4):
        run, step, call, tool = await_held(arena)[0]
        arena.kill_worker(arena.workers[0])
        if kill % 2 and veto(arena, run, step, call) == 202:
            refused.add((run, step, tool))
        arena.start_worker()
    await_endings(arena)
    assert refused, "no veto came in time"
    _check_effects(arena, refused)
    assert arena.read(EARLY) == []


def _check_effects(arena: Arena, refused: set[tuple[UUID, int, str]]) -> None:
    """Each call had its effect once, but for those that were vetoed, and those that a kill left in doubt."""
    calls = arena.read("SELECT run_id, step, tool_name, number, state, code FROM runs_tool_call")
    made = {tool: [effect.key for effect in arena.effects(tool)] for tool in TOOLS}
    for run, step, tool, number, state, _ in calls:
        count = made[tool].count(f"{run}:{step}:{tool}:{number}")
        if (run, step, tool) in refused:
            assert (state, count) == ("refused", 0)
        elif state == "succeeded":
            assert count == 1
        else:
            assert count <= 1
    assert {(run, step, tool) for run, step, tool, _, _, code in calls if code == "vetoed"} == refused
