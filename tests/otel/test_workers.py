"""A real worker sends what real workers did; one that is killed in between has it told by the next."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from agentops.messages import send_now
from runs.models import Run, SpanExport
from tests.otel.receiver import Receiver
from tests.undo.conftest import desk
from tests.undo.desk import Desk

__all__ = ["desk"]  # fixtures

pytestmark = [pytest.mark.otel, pytest.mark.slow]

PATIENCE_S = 60.0


def wait_until(found: Callable[[], bool]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.1)


def told(receiver: Receiver, run: Run) -> bool:
    """Ask for a pass, as the scheduler does, and return whether the run was told to its end by now."""
    send_now("runs.export_spans", expires_s=5)
    time.sleep(0.5)
    return any(span.attributes["agentops.run.id"] == str(run.pk) for span in receiver.named("invoke_agent "))


def test_a_worker_tells_of_its_runs(receiver: Receiver, desk: Desk) -> None:
    desk.stack.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url
    desk.work(1)
    run = desk.run(("keep", "one"), ("keep", "two"))
    wait_until(lambda: told(receiver, run))
    names = [span.name for span in receiver.spans]
    assert names.count("execute_tool make_keep") == 2
    wait_until(lambda: not SpanExport.objects.filter(run=run).exists())


def test_what_a_killed_worker_left_is_told_by_the_next(receiver: Receiver, desk: Desk) -> None:
    desk.stack.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url
    desk.work(1)
    run = desk.run(("keep", "one"))
    receiver.answers = 503
    told(receiver, run)
    wait_until(lambda: bool(receiver.headers))  # it is at it, and tries again by itself
    for worker in desk.workers:
        desk.stack.kill(worker)
    desk.workers.clear()
    receiver.answers = 200
    assert SpanExport.objects.filter(run=run).exists()
    SpanExport.objects.update(due_at=run.created_at)  # its claim would run out within a minute
    desk.work(1)
    wait_until(lambda: told(receiver, run))
    ids = [span.span_id for span in receiver.spans]
    assert receiver.the("execute_tool make_keep").span_id in ids
    assert len({*ids}) == 4
