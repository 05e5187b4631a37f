"""``bench stops``: from the click to the last call that still had an effect, with workers busy, for every scope.

``subtree`` stops an agent on whose behalf runs of another act, and measures those. In every scope a tool's server
asks about calls of one of the runs all the while: ``click_to_last_accepted_ms`` is its last yes.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Max, Q
from django.utils import timezone

from identities.models import AgentIdentity, ApiKey, Application, KillSwitch, User
from identities.services import activate_agent, allow_start, create_application, issue_api_key, lift_switch
from runs.bench.company import CHILD, hire_child
from runs.bench.reader import Reader, serve_reader
from runs.bench.steps import Load, await_ended, create_runs, send, workers_for
from runs.models import Run, ToolCall
from runs.services import start_run
from runs.stops import stop
from tools.models import Tool
from tools.services import accept_tool

STEPS = 500  # more than a run gets to before it is stopped
BUSY = Load(32, 0, STEPS, 32)
CALLS_BEFORE = 200  # calls that are made before the click
POLL_S = 0.02
PATIENCE_S = 60.0
SCOPES = (
    "run", "agent", "subtree", "tool", "application", "principal", "credential", "provider", "everything"
)  # fmt: skip
# A tool that is stopped denies its calls, and its runs go on without.
GOES_ON = ("tool",)


@dataclass(frozen=True, slots=True)
class Measured:
    """One stop, in ms from the click: to its commit, the last effect, the last run's end, and the reader's last yes."""

    stopped: float
    last: float
    ended: float
    accepted: float
    runs: int
    asked: int  # by the reader
    late: int  # answers that came too late to be believed


def measure_stops(agent: AgentIdentity, officer: User, rounds: int) -> Iterator[dict[str, Any]]:
    """Stop busy runs ``rounds`` times in every scope; yield the figures of each, in ms."""
    hire_child(agent, STEPS)
    with workers_for(BUSY), serve_reader(Tool.objects.get(team=agent.team), officer) as reader:
        for scope in SCOPES:
            yield _figures(scope, [_measure_one(scope, agent, officer, reader) for _ in range(rounds)])


def _measure_one(scope: str, agent: AgentIdentity, officer: User, reader: Reader) -> Measured:
    application = _client_of(agent, officer)
    key, _ = issue_api_key(actor=officer, user=application.service_account, label="bench")
    runs, concerned = _create(scope, application, agent, key)
    send(runs)
    _await_calls(runs)
    with reader.taking_calls_of(_load(concerned[0])):
        clicked = timezone.now()
        with _stopped(scope, agent, officer, application, _load(runs[0])):
            stopped = timezone.now()
            if scope in GOES_ON:
                _await_refusals(runs)
            else:
                await_ended(concerned)
            reader.await_refusal(PATIENCE_S)
            # The reader's, too, before the stop is undone: from then on it may say yes again.
            moments = stopped, _read_last(concerned), _read_ended(concerned), reader.accepted_at
    with _stopped("everything", agent, officer, application, None):
        await_ended(runs)
    stop_ms, last_ms, end_ms, accepted_ms = (_ms(clicked, each) for each in moments)
    return Measured(stop_ms, last_ms, end_ms, accepted_ms, len(concerned), reader.asked, reader.late)


def _create(
    scope: str, application: Application, agent: AgentIdentity, key: ApiKey
) -> tuple[list[UUID], list[UUID]]:
    """Return the runs that keep the workers busy, and those of them that the stop concerns and that are measured."""
    if scope != "subtree":
        runs = create_runs(application, agent, BUSY.runs, key)
        return runs, runs[:1] if scope == "run" else runs
    parents = create_runs(application, agent, BUSY.runs // 2, key)
    child = AgentIdentity.objects.get(team=agent.team, slug=CHILD)
    children = [
        start_run(
            actor=application.service_account, agent=child, message="Do nothing.", issuer="bench",
            subject="nobody", application=application, parent=_load(parent),
        ).pk
        for parent in parents
    ]  # fmt: skip
    return [*parents, *children], children


def _load(run: UUID) -> Run:
    return Run.objects.select_related("identity", "principal").get(pk=run)


def _client_of(agent: AgentIdentity, officer: User) -> Application:
    """Create an application, because one that was stopped is closed for good."""
    application = create_application(
        actor=officer, team=agent.team, slug=f"client-{time.time_ns()}", name="Client", may_assert_users=True
    )
    for each in AgentIdentity.objects.filter(team=agent.team):
        allow_start(actor=officer, application=application, agent=each)
    return application


@contextmanager
def _stopped(
    scope: str, agent: AgentIdentity, officer: User, application: Application, run: Run | None
) -> Iterator[None]:
    """Stop within the block, and let go on behind it what may go on."""
    tool = Tool.objects.get(team=agent.team)
    targets = {
        "run": run and run.pk, "agent": agent.pk, "subtree": agent.pk, "tool": tool.pk, "application": application.pk,
        "principal": run and run.principal_id, "credential": run and run.credential_id, "provider": "null",
        "everything": "",
    }  # fmt: skip
    stop(
        actor=officer, scope="agent" if scope == "subtree" else scope, target=str(targets[scope]),
        reason="To be measured.",
    )  # fmt: skip
    yield
    undo: dict[str, Callable[[], object]] = {
        "agent": lambda: activate_agent(actor=officer, agent=agent),
        "subtree": lambda: activate_agent(actor=officer, agent=agent),
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


def _figures(scope: str, rounds: list[Measured]) -> dict[str, Any]:
    figures = {
        "scope": scope, "stops": len(rounds), "runs_each": rounds[0].runs,
        "click_to_stopped_ms": _spread([each.stopped for each in rounds]),
        "click_to_last_call_ms": _spread([each.last for each in rounds]),
        "click_to_last_accepted_ms": _spread([each.accepted for each in rounds]),
        "asked": sum(each.asked for each in rounds), "answered_late": sum(each.late for each in rounds),
    }  # fmt: skip
    if scope in GOES_ON:
        return figures
    return {**figures, "click_to_last_end_ms": _spread([each.ended for each in rounds])}


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(times), 1), "max": round(max(times), 1)}
