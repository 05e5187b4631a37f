"""What is logged while a run is driven, or the API answers, has the id of the trace."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from agentops.logs import TraceFilter
from runs.actions import executing
from runs.api import views
from runs.services import start_run
from tests.api.caller import caller_of
from tests.otel.test_spans import TRACE
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company, proposes, says
from tools.execution import execute

pytestmark = pytest.mark.otel


class Ids(logging.Handler):
    """Keeps the trace of every record."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.addFilter(TraceFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.__dict__["trace_id"])


@pytest.fixture
def ids() -> Iterator[Ids]:
    handler, logger = Ids(), logging.getLogger("agentops.told")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_drivers_and_readers_log_in_the_runs_trace(
    company: Company, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_reads()
    company.publish()

    def say_so(*given: object, **more: object) -> object:
        logging.getLogger("agentops.told").error("a call goes out")
        return execute(*given, **more)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(executing, "execute", say_so)
    run = company.run(proposes(("look_up", ORDER), ("look_up", {"order_id": "A-2"})), says("Done."))
    assert ids.seen == [run.trace_id] * 2


def test_the_api_logs_in_the_callers_trace(
    company: Company, ids: Ids, monkeypatch: pytest.MonkeyPatch
) -> None:
    def say_so(**given: object) -> object:
        logging.getLogger("agentops.told").error("a run starts")
        return start_run(**given)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(views, "start_run", say_so)
    company.publish()
    task = {
        "agent": company.cast.agent.slug,
        "message": "Please help.",
        "principal": {"issuer": ISSUER, "subject": SUBJECT},
    }
    caller = caller_of(company.cast, company.cast.application.service_account)
    started = caller.post("/runs", task, key="k1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    assert started.status == 201, started.content
    assert ids.seen == [TRACE]
