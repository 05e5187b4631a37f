"""What the guardian understands and does."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agentops.runtime import guardian


def test_orders_are_added_up() -> None:
    orders = guardian.read_orders(["add 10 15\n", "add 11 2\n", "drop 10\n", "remove /a path\n"])

    assert orders == guardian.Orders(groups={11: 2}, directories=["/a path"], done=False)


def test_done_means_that_nothing_is_left_to_do() -> None:
    assert guardian.read_orders(["add 10 15\n", "done\n"]).done


def test_a_group_that_is_gone_is_no_error() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()

    assert guardian.signal_group(process.pid, signal.SIGTERM) is False


def test_a_group_that_ignores_the_request_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian, "GRACE_S", 0.2)
    ignoring = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", ignoring], start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it ignores the signal from here on

        guardian.stop_groups({process.pid: signal.SIGTERM})

        assert process.wait() == -signal.SIGKILL


@pytest.mark.parametrize(("last_order", "removed"), [("", True), ("done\n", False)])
def test_end_of_input_without_done_is_the_parents_death(
    tmp_path: Path, last_order: str, removed: bool
) -> None:
    directory = tmp_path / "throw-away"
    directory.mkdir()
    subprocess.run(
        [sys.executable, "-I", guardian.__file__],
        input=f"remove {directory}\n{last_order}",
        text=True,
        check=True,
    )

    assert directory.exists() is not removed
