"""``agentops demo --decide``: the whole story in a terminal, on servers of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops.runtime.supervision import ROOT
from tests.runtime.test_up import OURS

pytestmark = [pytest.mark.slow, pytest.mark.api]


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agentops-demo-") as directory:
        Path(directory).chmod(0o711)  # PostgreSQL may run as another account
        yield Path(directory) / "data"


def start(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start the demo where nobody sits at the terminal; return when it has ended."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    return subprocess.run(
        [sys.executable, "-m", "agentops", "demo", *options],
        cwd=ROOT,
        env={**environment, "AGENTOPS_DATA": str(data)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def play(data: Path, verdict: str) -> str:
    """Play the demo to its end; return what it told."""
    answer = start(data, "--decide", verdict)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def test_approved_the_refund_is_made_and_told(data: Path) -> None:
    told = play(data, "approve")
    assert told.count("refund_payment: called") == told.count("refund_payment: done") == 1
    assert "completed: 4 steps, 3 calls" in told
    assert "will change    Paid back in all: 0.00 USD → 129.90 USD" in told
    assert "will change    Order: delivered stays so" in told
    assert list(data.glob("beat-schedule*")), "without the scheduler nothing that nobody decides would expire"


def test_denied_nothing_is_refunded_and_the_agent_is_told(data: Path) -> None:
    told = play(data, "deny")
    assert "refund_payment: denied, not approved" in told
    assert "refund_payment: called" not in told
    assert "No money has been moved" in told


def test_without_a_terminal_it_says_how_to_answer(data: Path) -> None:
    answer = start(data)
    assert answer.returncode == 1
    assert "add --decide" in answer.stderr
    assert "Traceback" not in answer.stderr
