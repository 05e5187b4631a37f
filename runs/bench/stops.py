"""``bench stops``: from the click to the last call that still had an effect, with workers busy, for every scope."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max, Q
from django.utils import timezone

from identities.models import AgentIdentity, Application, KillSwitch, User
from identities.services import activate_agent, allow_start, create_application, issue_api_key, lift_switch
from runs.bench.steps import Load, await_ended, create_runs, send, workers_for
from runs.models import Run, ToolCall
from runs.stops import stop
from tools.models import Tool
from tools.services import accept_tool

STEPS = 500  # more than a run gets to before it is stopped
BUSY = Load(32, 0, STEPS, 32)
CALLS_BEFORE = 200  # calls that are made before the click
POLL_S = 0.02
PATIENCE_S = 60.0
SCOPES = ("run", "agent", "tool", "application", "principal", "credential", "provider", "everything")
# A tool that is stopped denies its calls, and its runs go on without.
GOES_ON = ("tool",)


def measure_stops(agent: AgentIdentity, officer: User, rounds: int) -> Iterator[dict[str, Any]]:
    """Stop busy runs ``rounds`` times in every scope; yield the figures of each, in ms."""
    with workers_for(BUSY):
        for scope in SCOPES:
            yield _figures(scope, [_measure_one(scope, agent, officer) for _ in range(rounds)])


def _measure_one(scope: str, agent: AgentIdentity, officer: User) -> tuple[float, float, int]:
    """Return the ms from the click to the last effect and to the last run's end, and how many runs were going."""
    application = _client_of(agent, officer)
    key, _ = issue_api_key(actor=officer, user=application.service_account, label="bench")
    runs = create_runs(application, agent, BUSY.runs, key)
    send(runs)
    _await_calls(runs)
    concerned = runs[:1] if scope == "run" else runs
    clicked = timezone.now()
    with _stopped(scope, agent, officer, application, Run.objects.get(pk=runs[0])):
        if scope in GOES_ON:
            _await_refusals(runs)
        else:
            await_ended(concerned)
        last, ended = _read_last(concerned), _read_ended(concerned)
    with _stopped("everything", agent, officer, application, None):
        await_ended(runs)
    return _ms(clicked, last), _ms(clicked, ended), len(concerned)


def _client_of(agent: AgentIdentity, officer: User) -> Application:
    """Create an application, because one that was stopped is closed for good."""
    application = create_application(
        actor=officer, team=agent.team, slug=f"client-{time.time_ns()}", name="Client", may_assert_users=True
    )
    allow_start(actor=officer, application=application, agent=agent)
    return application


@contextmanager
def _stopped(
    scope: str, agent: AgentIdentity, officer: User, application: Application, run: Run | None
) -> Iterator[None]:
    """Stop within the block, and let go on behind it what may go on."""
    tool = Tool.objects.get(team=agent.team)
    targets = {
        "run": run and run.pk, "agent": agent.pk, "tool": tool.pk, "application": application.pk,
        "principal": run and run.principal_id, "credential": run and run.credential_id, "provider": "null",
        "everything": "",
    }  # fmt: skip
    stop(actor=officer, scope=scope, target=str(targets[scope]), reason="To be measured.")
    yield
    undo: dict[str, Callable[[], object]] = {
        "agent": lambda: activate_agent(actor=officer, agent=agent),
        "tool": lambda: accept_tool(actor=officer, tool=tool),
    }
    undo.get(scope, lambda: None)()
    for switch in KillSwitch.objects.thrown().exclude(scope="credential"):  # a key is revoked for good
        lift_switch(actor=officer, switch=switch, reason="Measured.")


def _await_calls(runs: list[UUID]) -> None:
    calls = ToolCall.objects.filter(run_id__in=runs, state="succeeded")
    _await(lambda: calls.count() >= CALLS_BEFORE and calls.values("run_id").distinct().count() == len(runs))


def _await_refusals(runs: list[UUID]) -> None:
    """Wait until every run has been refused a call."""
    refused = ToolCall.objects.filter(run_id__in=runs, state="refused").values("run_id").distinct()
    _await(lambda: refused.count() == len(runs))


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError("the runs did not get so far")
        time.sleep(POLL_S)


def _read_last(runs: list[UUID]) -> datetime | None:
    """Return when the last call ended that was made: its effect was not later than that."""
    made = ToolCall.objects.filter(~Q(state="refused"), run_id__in=runs)
    moment: datetime | None = made.aggregate(last=Max("ended_at"))["last"]
    return moment


def _read_ended(runs: list[UUID]) -> datetime | None:
    moment: datetime | None = Run.objects.filter(pk__in=runs).aggregate(last=Max("ended_at"))["last"]
    return moment


def _ms(since: datetime, until: datetime | None) -> float:
    return 0.0 if until is None else max(0.0, (until - since).total_seconds() * 1000)


def _figures(scope: str, rounds: list[tuple[float, float, int]]) -> dict[str, Any]:
    last, ended = [each[0] for each in rounds], [each[1] for each in rounds]
    figures = {
        "scope": scope, "stops": len(rounds), "runs_each": rounds[0][2],
        "click_to_last_call_ms": _spread(last),
    }  # fmt: skip
    return figures if scope in GOES_ON else {**figures, "click_to_last_end_ms": _spread(ended)}


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(times), 1), "max": round(max(times), 1)}
