"""A web process that is asked to stop, while somebody listens to a run that goes on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import httpx2
import pytest

from agentops.runtime import application
from agentops.runtime.ports import LOOPBACK, free_ports
from runs.models import Run
from tests.api.conftest import Callers
from tests.live import worker_stack
from tests.runs.company import Company

pytestmark = [pytest.mark.slow, pytest.mark.api]

STOP_LIMIT_S = 25.0  # the bound is 5 s; a machine that is busy needs longer


@pytest.fixture
def run(company: Company) -> Run:
    """Start a run that nobody drives: its stream stays open."""
    return company.start()


def test_an_open_event_stream_does_not_hold_up_a_stop(tmp_path: Path, callers: Callers, run: Run) -> None:
    with worker_stack(tmp_path) as stack, httpx2.Client(timeout=30) as client:
        port = free_ports(1)[0]
        web = application.spawn_web(stack, port)
        address = f"http://{LOOPBACK}:{port}/api/v1/runs/{run.pk}/events"
        headers = {"Authorization": f"Bearer {callers.app.bearer}", "Accept": "text/event-stream"}
        with client.stream("GET", address, headers=headers) as response:
            lines = response.iter_lines()  # kept, for its end would close the stream
            assert next(lines) == "id: 1"
            asked_at = time.monotonic()
            web.popen.send_signal(signal.SIGTERM)
            assert web.wait(STOP_LIMIT_S) in (0, -signal.SIGTERM)
        assert time.monotonic() - asked_at > 1, "who listens gets time to come to an end"
