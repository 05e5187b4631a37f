"""One stack per data directory, and how others join it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentops.runtime.data_directory import (
    STACK_FILE,
    DataInUse,
    RunningStack,
    announce,
    default_data,
    find_running_stack,
    hold,
    withdraw,
)
from agentops.runtime.supervision import ROOT

HOLDER = """
import pathlib, sys
from agentops.runtime.data_directory import hold
with hold(pathlib.Path(sys.argv[1]), "up"):
    print("held", flush=True)
    sys.stdin.read()
"""
STACK = RunningStack(pid=1, address="http://127.0.0.1:8000", environment={"SECRET_KEY": "s"})


@contextmanager
def held_by_another(data: Path) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the data directory."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.kill()


def test_a_second_holder_is_refused_and_told_who_is_first(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as holder:
        expected = rf"in use by `agentops up`, process {holder.pid}"
        with pytest.raises(DataInUse, match=expected), hold(tmp_path, "verify"):
            pass


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as holder:
        holder.kill()
        holder.wait()

        with hold(tmp_path, "verify") as data:
            assert data == tmp_path.resolve()


def test_a_running_stack_is_found_by_its_lock_not_by_its_file(tmp_path: Path) -> None:
    announce(tmp_path, STACK)
    assert find_running_stack(tmp_path) is None

    with held_by_another(tmp_path):
        assert find_running_stack(tmp_path) == STACK
        withdraw(tmp_path)
        assert find_running_stack(tmp_path) is None


def test_the_announcement_is_private(tmp_path: Path) -> None:
    announce(tmp_path, STACK)

    assert stat.S_IMODE((tmp_path / STACK_FILE).stat().st_mode) == 0o600


def test_no_data_directory_is_no_running_stack(tmp_path: Path) -> None:
    assert find_running_stack(tmp_path / "missing") is None


def test_holding_makes_the_directory_and_keeps_its_files_private(tmp_path: Path) -> None:
    with hold(tmp_path / "new" / "data", "up") as data:
        (data / "sign-in.txt").write_text("password")
    (data / "afterwards").touch()

    assert stat.S_IMODE(data.stat().st_mode) & 0o044 == 0
    assert stat.S_IMODE((data / "sign-in.txt").stat().st_mode) == 0o600
    assert stat.S_IMODE((data / "afterwards").stat().st_mode) != 0o600


def test_the_place_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTOPS_DATA", raising=False)
    assert default_data() == ROOT / ".data"

    monkeypatch.setenv("AGENTOPS_DATA", "/somewhere/else")
    assert default_data() == Path("/somewhere/else")
