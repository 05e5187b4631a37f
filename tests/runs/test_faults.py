"""What the driver does when it fails itself, or when there is no database."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from django.db import OperationalError
from django.utils import timezone
from psycopg_pool import PoolTimeout

from runs import driver, lease_rows, turns
from runs.spreading import SHARE
from tests.runs.company import Company, says
from tests.runs.test_driver import abandon


def test_a_driver_that_fails_rests_and_another_goes_on(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    company.play(says("Hello."))
    run = company.start()

    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", fail)
        run = company.drive(run)
    assert (run.state, run.lease_until) == ("queued", None)
    assert run.wake_at is not None
    assert (
        timedelta(seconds=20) < run.wake_at - timezone.now() <= timedelta(seconds=driver.REST_S) * (1 + SHARE)
    )
    assert company.drive(run).state == "completed"
    assert ["RuntimeError: a fault of ours" in fault for fault in company.faults] == [True]


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
        psycopg.errors.CannotConnectNow("the database system is starting up"),
        PoolTimeout("couldn't get a connection after 30.00 sec"),
    ],
)
@pytest.mark.parametrize("by_way_of_django", [False, True])
def test_a_run_that_has_lost_the_database_goes_on_soon_and_then_ever_later(
    company: Company, monkeypatch: pytest.MonkeyPatch, error: Exception, by_way_of_django: bool
) -> None:
    company.play(says("Hello."))
    run, rests = company.start(), []

    def fail(*_: object) -> None:
        if by_way_of_django:
            raise OperationalError from error
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", fail)
        for _ in range(7):
            run, now = company.drive(run), timezone.now()
            assert (run.state, run.lease_until) == ("queued", None)
            assert run.wake_at is not None
            rests.append((run.wake_at - now).total_seconds())
    assert company.faults == []
    for rest_s, longest_s in zip(rests, (1, 2, 4, 8, 16, driver.REST_S, driver.REST_S), strict=True):
        assert longest_s / 2 < rest_s <= longest_s * (1 + SHARE)
    assert company.drive(run).state == "completed"
    assert run.pk not in driver._outages


def test_a_statement_that_goes_wrong_is_no_outage(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.expects_fault = True
    company.play(says("Hello."))

    def fail(*_: object) -> None:
        raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")

    monkeypatch.setattr(turns, "find_route", fail)
    run = company.drive(company.start())
    assert run.wake_at is not None
    assert run.wake_at - timezone.now() > timedelta(seconds=20)


def test_a_run_that_cannot_be_given_back_without_a_database_is_left_to_its_lease(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    run = company.start()

    def fail(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("the connection is closed")

    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", fail)
        patch.setattr(lease_rows, "release_lease", fail)
        run = company.drive(run)
    assert (run.state, run.wake_at) == ("queued", None)
    assert run.lease_until is not None
    abandon(run)
    assert company.drive(run).state == "completed"


def test_a_fault_of_the_driver_fails_the_test_that_does_not_expect_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    with monkeypatch.context() as patch:
        patch.setattr(turns, "find_route", lambda *_: 1 // 0)
        company.drive(company.start())
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        company.check()
    company.expects_fault = True
