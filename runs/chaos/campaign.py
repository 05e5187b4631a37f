"""A campaign: runs go on, processes are killed, and in the end everything is accounted for."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from agentops.ledger.checkpoints import list_known_keys
from agentops.ledger.verification import verify_streams
from runs.chaos.account import claim_effects, find_wrong_endings, settle_account
from runs.chaos.arena import TOOLS, Arena, Tool
from runs.chaos.client import Client, Feeder, Refused
from runs.chaos.fencing import find_stale_writes
from runs.chaos.kills import KINDS, Killer, draw_kills
from runs.chaos.verdict import SHOWN, find_leaks, read_calls
from runs.chaos.work import Order

GOING = 8
PROGRESS_S = 60.0  # without an effect for so long, something is broken that no kill explains


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign does: how many kills, of which kinds, at which tools' servers where that matters.

    ``going`` runs are kept going meanwhile; after the last kill they have ``settle_s`` seconds to end.
    """

    kills: int
    seed: int
    kinds: tuple[str, ...] = KINDS
    tools: tuple[Tool, ...] = TOOLS
    going: int = GOING
    settle_s: float = 180.0


@dataclass(slots=True)
class Result:
    """What a campaign found. ``problems`` names what must not be; none of them is the proof."""

    runs_started: int = 0
    runs_ended: int = 0
    effects_expected: int = 0
    effects_seen: int = 0
    duplicates: int = 0
    lost: int = 0
    unrecorded: int = 0
    unordered: int = 0
    parked: int = 0
    parked_effects: int = 0
    stale_writes: int = 0
    late_outcomes: int = 0
    ledger_ok: bool = False
    budgets_ok: bool = False
    servers: dict[str, dict[str, int]] = field(default_factory=dict)
    endings: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, with the first problems only."""
        return {**asdict(self), "ok": self.ok, "problems": self.problems[:SHOWN]}


class Stuck(Exception):
    """The runs have come to a standstill."""


def run_campaign(arena: Arena, plan: Plan, announce: Callable[[str], object] = lambda _: None) -> Result:
    """Kill as planned while runs go on in an open arena; wait until they have ended, and account for all.

    ``announce`` is told of each kill.
    """
    started = time.monotonic()
    dice = random.Random(plan.seed)  # noqa: S311  a campaign can be repeated
    result = Result(seed=plan.seed)
    with Client(arena) as client:
        try:
            with (
                Feeder(arena, client, going=plan.going, seed=dice.randrange(1 << 32)),
                Killer(arena, dice, plan.tools) as killer,
            ):
                for kind in draw_kills(plan.kills, plan.kinds, dice):
                    _kill(arena, killer, kind, dice)
                    announce(f"{time.monotonic() - started:6.1f} s  {kind}")
                    result.kills[kind] = result.kills.get(kind, 0) + 1
        except (Stuck, Refused) as error:
            result.problems.append(str(error))
        _await_endings(arena, plan.settle_s)
        with psycopg.connect(arena.database_url(), autocommit=True) as connection:
            _judge(arena, connection, client.started, result)
    result.seconds = round(time.monotonic() - started, 1)
    return result


def _kill(arena: Arena, killer: Killer, kind: str, dice: random.Random) -> None:
    """Carry a kill out, into work that goes on."""
    _await_progress(arena)
    time.sleep(dice.uniform(0.0, 0.7))
    while not killer.kill(kind):
        _await_progress(arena)


def _await_progress(arena: Arena) -> None:
    before, deadline = arena.progress(), time.monotonic() + PROGRESS_S
    while arena.progress() == before:
        if time.monotonic() > deadline:
            dead = "; ".join(arena.find_dead()) or "all processes live"
            raise Stuck(f"no run has made an effect for {PROGRESS_S:.0f} s ({dead})")
        time.sleep(0.05)


def _await_endings(arena: Arena, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while arena.count_going() and time.monotonic() < deadline:
        time.sleep(0.2)


def _judge(
    arena: Arena, connection: psycopg.Connection, orders: Mapping[UUID, Order], result: Result
) -> None:
    calls = read_calls(connection, list(orders))
    _judge_runs(connection, orders, calls, result)
    for tool in TOOLS:
        account = settle_account(claim_effects(orders, calls, tool), calls, arena.effects(tool), tool)
        result.servers[tool] = account.figures()
        for name, figure in account.figures().items():
            setattr(result, name, getattr(result, name) + figure)
        result.problems += account.problems(tool)
    stale = find_stale_writes(connection, arena.writers)
    result.stale_writes = len(stale)
    leaks = find_leaks(connection, calls)
    result.budgets_ok = not leaks
    cursor = connection.cursor()  # of an installation with keys of its own
    faults = verify_streams(cursor, signers=list_known_keys(cursor)).faults
    result.ledger_ok = not faults
    result.problems += [*stale, *leaks, *map(str, faults), *arena.find_dead()]


def _judge_runs(
    connection: psycopg.Connection, runs: Mapping[UUID, Order], calls: Mapping[str, str], result: Result
) -> None:
    rows = connection.execute("SELECT id, state, status_reason, ended_at FROM runs_run").fetchall()
    endings = {row[0]: "/".join(filter(None, row[1:3])) for row in rows}
    result.runs_started, result.runs_ended = len(runs), sum(row[3] is not None for row in rows)
    result.endings = dict(sorted(Counter(endings.values()).items()))
    result.problems += find_wrong_endings(runs, endings, calls)
    late = connection.execute("SELECT count(*) FROM ledger_entry WHERE kind = 'outcome.late'").fetchone()
    result.late_outcomes = int(late[0]) if late else 0
