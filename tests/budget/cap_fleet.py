"""Calls in processes of their own that reserve caps at once: ``python -m tests.budget.cap_fleet``.

A process is told on its input what to reserve, says "ready" when all its threads stand with a connection each, and
starts them at the next line; it prints how many of them got what they asked for.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from agentops.runtime.supervision import ROOT
from tests.budget.fleet import PROCESSES, THREADS, TIMEOUT_S
from tests.budget.watch import connect

# Identity, tool, and claims; Any: a module with claims in it needs Django to be set up.
Demand = tuple[UUID, UUID, Any]
Reserve = Callable[[Any, UUID, UUID, Any], bool]
NOW = datetime(2026, 11, 2, 10, 30, tzinfo=UTC)


def reserve_all(grant: UUID, amount: str, *, careless: bool = False) -> int:
    """Let a hundred calls under a grant reserve its caps at once; return how many of them may go out."""
    argv = [sys.executable, "-m", "tests.budget.cap_fleet"]
    processes = [
        subprocess.Popen(argv, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(PROCESSES)
    ]
    try:
        for process in processes:
            _tell(process, json.dumps({"grant": str(grant), "amount": amount, "careless": careless}))
        assert [_hear(process) for process in processes] == ["ready"] * PROCESSES
        for process in processes:
            _tell(process, "go")
        return sum(int(process.communicate(timeout=TIMEOUT_S)[0]) for process in processes)
    finally:
        for process in processes:
            process.kill()


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def main() -> None:
    import django

    django.setup()
    told = json.loads(sys.stdin.readline())
    demand, start = _demand_of(told), threading.Barrier(THREADS + 1)
    reserve = _reserve_carelessly if told["careless"] else _reserve
    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(_call, reserve, demand, start) for _ in range(THREADS)]
        start.wait(TIMEOUT_S)
        print("ready", flush=True)
        sys.stdin.readline()
        start.wait(TIMEOUT_S)
        print(sum(call.result() for call in calls))


def _demand_of(told: dict[str, Any]) -> Demand:
    from tools.authority import Ask
    from tools.caps import claim_caps, parse_caps
    from tools.models import ToolGrant

    grant = ToolGrant.objects.get(pk=told["grant"])
    ask = Ask(grant.pk, "refund", "f" * 64, "reversible", Decimal(told["amount"]), NOW)
    return grant.identity_id, grant.tool_id, claim_caps(parse_caps(grant.caps), ask)


def _call(reserve: Reserve, demand: Demand, start: threading.Barrier) -> bool:
    """Reserve for one call, in a transaction that is undone when there is no room."""
    with connect() as connection:
        start.wait(TIMEOUT_S)
        start.wait(TIMEOUT_S)
        with connection.transaction() as transaction, connection.cursor() as cursor:
            got = reserve(cursor, *demand)
            if not got:
                raise psycopg.Rollback(transaction)
        return got


def _reserve(cursor: Any, identity: UUID, tool: UUID, claims: Any) -> bool:
    from tools.caps import reserve_caps

    return reserve_caps(cursor, identity, tool, claims)


_all_have_read = threading.Barrier(THREADS)


def _reserve_carelessly(cursor: Any, identity: UUID, tool: UUID, claims: Any) -> bool:
    """The mutant: look first, then write."""
    where = "identity_id = %s AND tool_id = %s"
    row = cursor.execute(f"SELECT used_count FROM tools_capusage WHERE {where}", (identity, tool)).fetchone()  # noqa: S608  a constant
    _all_have_read.wait(TIMEOUT_S)
    if row is None or row[0] + 1 > claims[0].count_limit:
        return False
    cursor.execute(
        f"UPDATE tools_capusage SET used_count = used_count + 1, used_amount = used_amount + %s WHERE {where}",  # noqa: S608  a constant
        (claims[0].amount, identity, tool),
    )
    return True


if __name__ == "__main__":
    main()
