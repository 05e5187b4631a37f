"""Runs that real workers have recorded, and long ones: replayed as they are, side by side, and killed in the middle.

The suite ``replay``. What tool servers and the model's provider are asked is counted, and it is nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from agentops.engine import events as e
from runs.models import Run
from runs.replays import services
from runs.replays.recording import Recording
from runs.replays.report import Report
from runs.replays.services import replay_run
from tests.ledger.forging import as_owner
from tests.replays.recorded import drive_long
from tests.runs.company import Company, rows_of
from tests.undo.desk import Desk

pytestmark = [pytest.mark.slow, pytest.mark.replay]

STEPS = 200


def as_it_stands(company: Company, run: Run) -> tuple[Any, ...]:  # Any: rows and entries
    return rows_of(run), company.entries(run), len(company.asked()), list(company.world.attempts)


def test_what_real_workers_recorded_is_replayed_and_reaches_nobody(desk: Desk) -> None:
    desk.work(2)
    run = desk.run(("keep", "a"), ("blind", "b"), ("ask", "c"))
    company = desk.company
    seen = (as_it_stands(company, run), desk.happened())
    report = replay_run(actor=company.cast.alice, run=run)
    assert (report.outcome, report.differences) == ("same", ())
    assert (report.prompts, report.verdicts) == (4, 3)
    assert (as_it_stands(company, run), desk.happened()) == seen


def test_a_run_whose_workers_were_killed_is_replayed_with_what_was_lost(desk: Desk) -> None:
    desk.work(1)
    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(desk.run, ("keep", "a"), ("keep", "b"))
        with desk.held("keep", "after", "drop"):
            [run] = Run.objects.all()
            assert desk.kill_driver_of(run)
        run = going.result()
        pool.submit(connections.close_all).result()
    assert e.CALL_UNKNOWN in desk.company.kinds(run)
    assert replay_run(actor=desk.company.cast.alice, run=run).outcome == "same"


def test_a_long_run_is_replayed_prompt_by_prompt(
    company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    run = drive_long(company, STEPS)
    seen = as_it_stands(company, run)
    began = time.perf_counter()
    report = replay_run(actor=company.cast.alice, run=run)
    took_ms = (time.perf_counter() - began) * 1_000
    assert (report.outcome, report.differences, report.uncompared) == ("same", (), 0)
    assert (report.prompts, report.steps) == (STEPS + 1, STEPS + 1)
    assert company.kinds(run).count(e.SUMMARY_WRITTEN) > 3
    assert as_it_stands(company, run) == seen
    with capsys.disabled():
        sys.stdout.write(
            f"\nreplayed {report.entries} entries of {report.steps} steps in {took_ms:.0f} ms: "
            f"{report.commands} commands, {report.prompts} prompts, {report.answers} answers\n"
        )


def test_two_at_once_find_the_same(company: Company) -> None:
    run = drive_long(company, 20)
    both_read = threading.Barrier(2, timeout=60)
    real = services.replay_recording

    def replay_together(row: Run, recording: Recording) -> Report:
        both_read.wait()  # each has its transaction open, and has read
        return real(row, recording)

    def replay() -> Report:
        try:
            return replay_run(actor=company.cast.alice, run=run)
        finally:
            connections.close_all()

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(services, "replay_recording", replay_together)
        one, other = [future.result() for future in [pool.submit(replay) for _ in range(2)]]
    assert one == other
    assert one.outcome == "same"


def test_one_that_is_killed_in_the_middle_leaves_nothing(desk: Desk) -> None:
    run = drive_long(desk.company, 20)
    seen = as_it_stands(desk.company, run)
    argv = [sys.executable, "manage.py", "replay_run", str(run.pk), "--as", "alice"]
    with as_owner(triggers=True) as owner:
        owner.autocommit = True  # what is under way is looked at anew each time
        owner.execute("BEGIN")
        owner.execute("LOCK TABLE runs_agentversion IN ACCESS EXCLUSIVE MODE")
        process = desk.stack.spawn("replay", argv)
        # It has read what is recorded, has its transaction open, and wants to know the version.
        desk.wait(lambda: is_waited_for(owner) or process.exit_code is not None, "it does not begin")
        assert process.exit_code is None
        desk.stack.kill(process)
        owner.execute("ROLLBACK")
        desk.wait(lambda: not is_read(owner), "its transaction is still open")
    assert as_it_stands(desk.company, run) == seen
    assert replay_run(actor=desk.company.cast.alice, run=run).outcome == "same"


def is_waited_for(owner: psycopg.Connection[Any]) -> bool:
    """Return whether somebody waits for the table that the owner has locked."""
    waiting = "SELECT FROM pg_locks WHERE relation = 'runs_agentversion'::regclass AND NOT granted"
    return owner.execute(waiting).fetchone() is not None


def is_read(owner: psycopg.Connection[Any]) -> bool:
    """Return whether a transaction that may only read is open beside the owner's."""
    reading = """SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND xact_start IS NOT NULL AND usename = %s AND state <> 'idle'"""
    role = connection.settings_dict["USER"]
    return owner.execute(reading, (role,)).fetchone() is not None
