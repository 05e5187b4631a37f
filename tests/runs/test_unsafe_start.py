"""Production does not start with a guardrail missing: the real processes end, and say what they lack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from config.celery import check_start
from runs import preflight
from tests.runs.production import ROOT, production_environment, run_in_production

pytestmark = [pytest.mark.crash, pytest.mark.slow]

CELERY = ("-m", "celery", "-A", "config")
WORKER = (*CELERY, "worker", "-P", "solo")
ASGI = ("-c", "import config.asgi")
# Elsewhere the static files are collected first; here whitenoise warns that they are not.
QUIET = {"PYTHONWARNINGS": "ignore:No directory at"}
REFUSAL = "production does not start:\n- ALLOWED_HOSTS: requests for any host would be answered, or none."
PATIENCE_S = 120  # for a sign that may never come
in_crash_suite = [pytest.mark.slow, pytest.mark.crash]  # a process each, and one of a kind is always run


def beat_in(directory: Path) -> tuple[str, ...]:
    return (*CELERY, "beat", "--pidfile", "", "--schedule", str(directory / "schedule"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "process",
    [
        "worker",
        pytest.param("beat", marks=in_crash_suite),
        pytest.param("asgi", marks=in_crash_suite),
    ],
)
def test_a_missing_guardrail_ends_the_process(process: str, tmp_path: Path) -> None:
    command = {"worker": WORKER, "beat": beat_in(tmp_path), "asgi": ASGI}[process]

    result = run_in_production(*command, ALLOWED_HOSTS="*")

    assert result.returncode == 1, result.stderr
    assert REFUSAL in result.stderr


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.django_db(transaction=True)
def test_a_web_server_that_lacks_nothing_loads() -> None:
    result = run_in_production(*ASGI, **QUIET)

    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("process", "sign"), [("worker", "ready."), ("beat", "Sending due task sweep")])
def test_celery_starts_where_nothing_is_lacking(process: str, sign: str, tmp_path: Path) -> None:
    command = {"worker": WORKER, "beat": beat_in(tmp_path)}[process]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=production_environment(LOG_LEVEL="INFO"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stderr is not None
        bound = Timer(PATIENCE_S, started.kill)
        bound.start()
        try:
            assert any(sign in line for line in started.stderr)  # the output ends with the process
        finally:
            bound.cancel()
            started.kill()


@pytest.mark.parametrize("fault", [RuntimeError("nobody foresaw this"), ImportError()])
def test_a_preflight_that_fails_is_no_leave_to_start(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise fault

    monkeypatch.setattr(preflight, "refuse_unsafe_start", fail)
    with pytest.raises(SystemExit) as end:
        check_start()
    assert end.value.code == (str(fault) or "ImportError()")
