"""A run that kills whoever drives it: real processes, real kill -9, counted though nobody is left to count."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from pytest_django import Settings

from runs.models import DeadLetter, Run
from tests.runs.company import Company
from tests.runs.conftest import company
from tests.runs.test_driver import due

__all__ = ["company"]
pytestmark = [pytest.mark.slow, pytest.mark.burst]

TRIES = 2
LEASE_S = "0.5"
# A worker's process, as far as it gets: it has taken the lease, and begins to read the run.
POISONED = """
import os, signal, sys, django
django.setup()
from runs import driver, tasks
driver.open_session = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tasks.drive.run(sys.argv[1])
"""


def die_driving(run: Run) -> int:
    """Have a process drive the run; return its exit code."""
    env = {**os.environ, "LEASE_S": LEASE_S, "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(
        [sys.executable, "-c", POISONED, str(run.pk)], env=env, check=False, timeout=120
    ).returncode


def await_due(run: Run) -> None:
    """Wait until the lease of whoever died has run out."""
    deadline = time.monotonic() + 60
    while run.pk not in due():
        assert time.monotonic() < deadline, "its lease lasts for ever"
        time.sleep(0.05)


def test_a_run_that_kills_worker_after_worker_is_parked(company: Company, settings: Settings) -> None:
    settings.DRIVE_TRIES = TRIES
    company.expects_fault = True
    run = company.start()
    for _ in range(TRIES):
        assert die_driving(run) == -signal.SIGKILL
        await_due(run)
    assert not DeadLetter.objects.exists(), "nobody was left to park it"
    run = company.drive(run)
    letter = DeadLetter.objects.get()
    assert (letter.run, letter.reason, letter.attempts, letter.entry) == (run, "driver_died", TRIES, 1)
    assert due() == [], "no further worker dies of it"
