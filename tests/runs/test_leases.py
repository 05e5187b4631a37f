"""Leases as this process knows them: a process that was stopped for a while cannot trust its memory."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import psycopg
import pytest
from django.conf import settings as installed
from django.db import connection
from django.utils import timezone
from psycopg_pool import PoolTimeout
from pytest_django import Settings

from agentops.clock import lease_clock_s
from agentops.database import borrowed, close_pool
from agentops.identifiers import new_id
from runs import driver
from runs.actions import executing
from runs.leases import BEAT_TRIES, Hold, Leases, SharedFlag, leases
from runs.models import Run
from runs.session import Session
from tests.factories import RunFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result
from tests.runs.test_driver import abandon, crash, drive_and_crash, due
from tests.suspending import needs_a_clock_that_goes_on, suspend_machine


@pytest.mark.parametrize(("age_s", "holds"), [(0.0, True), (installed.LEASE_S, False)])
def test_a_lease_is_sure_for_its_length_from_when_it_was_asked_for(age_s: float, holds: bool) -> None:
    held, run = Leases(), new_id()
    held.hold(run, 3, asked_at=lease_clock_s() - age_s)

    assert held.holds(run, 3) is holds
    assert not held.holds(run, 2)
    assert not held.holds(new_id(), 3)


@needs_a_clock_that_goes_on
def test_a_lease_runs_out_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    held, run = Leases(), new_id()
    held.hold(run, 3, asked_at=lease_clock_s())
    suspend_machine(monkeypatch)
    assert (held.holds(run, 3), held.until(run, 3)) == (False, None)


def test_a_lease_of_another_epoch_is_not_dropped() -> None:
    held, run = Leases(), new_id()
    held.hold(run, 3, asked_at=lease_clock_s())
    held.drop(run, 2)
    assert held.holds(run, 3)

    held.drop(run, 3)
    assert not held.holds(run, 3)


@pytest.fixture
def own_pool() -> Iterator[None]:
    """Leave no broken connection to the tests that follow."""
    yield
    close_pool()


@pytest.mark.usefixtures("own_pool")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", [1, 3])
def test_one_beat_renews_past_connections_that_the_database_left_broken(broken: int) -> None:
    run, held = RunFactory.create(lease_epoch=3, lease_until=timezone.now()), Leases()
    asked_at = lease_clock_s() - installed.LEASE_S + 1
    held._held[run.pk] = Hold(3, asked_at + installed.LEASE_S)
    break_idle_connections(broken)

    held._renew([(run.pk, 3)])

    until = held.until(run.pk, 3)
    assert until is not None
    assert until > asked_at + installed.LEASE_S
    assert Run.objects.filter(pk=run.pk, lease_until__gt=timezone.now()).exists()


def test_a_beat_that_the_database_refuses_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    def refuse(*_: object) -> None:
        tried.append(1)
        raise PoolTimeout("no connection in 30 s")

    monkeypatch.setattr(Leases, "_ask", refuse)
    Leases()._renew([(new_id(), 3)])
    assert len(tried) == 1
    assert "leases were not renewed" in caplog.text


def test_a_database_that_is_gone_is_asked_a_few_times_a_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def lose(*_: object) -> None:
        tried.append(1)
        raise psycopg.OperationalError("the connection is closed")

    monkeypatch.setattr(Leases, "_ask", lose)
    monkeypatch.setattr("runs.leases.discard_broken", lambda: None)
    Leases()._renew([(new_id(), 3)])
    assert len(tried) == BEAT_TRIES


def break_idle_connections(number: int) -> None:
    """Fill the pool and end its connections on the server, as a restart does."""
    with ExitStack() as stack:
        lent = [stack.enter_context(borrowed()) for _ in range(number)]
        idle = [each.info.backend_pid for each in lent]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid, 10000) FROM unnest(%s) AS pid", [idle])


def test_a_driver_that_was_stopped_while_it_recorded_an_attempt_does_not_make_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)))
    run = company.start()
    commit = executing._commit_attempts

    def commit_slowly(session: Session, ready: Sequence[executing.Ready]) -> None:
        commit(session, ready)
        leases().hold(session.context.run_id, session.epoch, asked_at=lease_clock_s() - installed.LEASE_S)

    with monkeypatch.context() as patch:
        patch.setattr(executing, "_commit_attempts", commit_slowly)
        company.drive(run)
    assert company.kinds(run)[-1] == "attempt.started"

    abandon(run)
    run = company.drive(run)
    assert (company.world.attempts, company.states(run)[0][0]) == ([], "parked")


_OUTLASTED = """
SELECT clock_timestamp() > %(first)s AND lease_until > clock_timestamp() + interval '0.5 s'
FROM runs_run WHERE id = %(run)s
"""


def test_the_heart_keeps_a_run_whose_tool_outlasts_its_lease(
    company: Company, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEASE_S = 1.0
    # A heart of its own: this process's sleeps by the length of the leases of other tests.
    monkeypatch.setattr("runs.leases._leases", {})
    company.add_tool("refund", idempotency="none", timeout_s=30)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run, second = company.start(), []

    def outlast_the_lease(do: Callable[[], Result]) -> Result:
        values = {"run": run.pk, "first": Run.objects.get(pk=run.pk).lease_until}
        deadline = time.monotonic() + 5
        with borrowed() as other:
            while other.execute(_OUTLASTED, values).fetchone() != (True,) and time.monotonic() < deadline:
                time.sleep(0.02)
        second.append((run.pk in due(), driver.drive(run.pk)))
        return do()

    company.world.mishaps.extend([outlast_the_lease])
    run = company.drive(run)
    assert second == [(False, None)], "no sweep finds it, and nobody else gets it"
    assert (run.state, run.lease_epoch, company.states(run)) == ("completed", 1, [("succeeded", "ok")])


@pytest.mark.parametrize("timeout_s", [30, 600])
def test_a_lost_attempt_is_asked_about_when_its_time_is_over(
    company: Company, monkeypatch: pytest.MonkeyPatch, timeout_s: int
) -> None:
    """Until then a driver that was only stopped may still send it: the limit of a Retry-After is no limit of this."""
    company.add_tool("refund", idempotency="read_back", timeout_s=timeout_s)
    company.play(proposes(("refund", ORDER)))
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "_execute_all", crash)
        drive_and_crash(company, run)

    run = company.drive(run)

    assert (run.state, company.states(run)[0][0]) == ("in_progress", "unknown")
    [unknown] = company.facts(run, "call.unknown")
    assert unknown["delay_ms"] >= timeout_s * 1000


def _set(flag: SharedFlag) -> None:
    flag.set()


def test_a_forked_child_sees_that_its_parent_is_told_to_stop() -> None:
    flag = SharedFlag()
    child = multiprocessing.get_context("fork").Process(target=_set, args=(flag,))
    child.start()
    child.join()

    assert flag.is_set()
