"""``bench stops``: from the click to the last call that still had an effect, with workers busy, for every scope.

``click_to_last_effect_ms`` is when the tool was called last, by its own clock; ``click_to_last_call_ms`` when the last
call's outcome was noted, which a full machine may put off.

``subtree`` stops an agent on whose behalf runs of another act, and measures those. In every scope a tool's server
asks about calls of one of the runs all the while, from a moment that is left to chance: ``click_to_last_accepted_ms``
is its last yes, ``click_to_first_refused_ms`` its first no, which no yes came after. ``delegation`` and ``passing
agent`` take a chain of token exchanges back, at its first hop and by the agent in its middle; the server asks about the
token at its end, and the last agent for another one: ``click_to_last_exchange_ms`` is the last it was given.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, Q
from django.utils import timezone

from identities.models import AgentIdentity, ApiKey, Application, Delegation, KillSwitch, User
from identities.services import activate_agent, allow_start, create_application, issue_api_key, lift_switch
from identities.services.delegations import revoke_delegation
from runs.bench.company import CHILD, hire_child
from runs.bench.exchanging import make_chain
from runs.bench.reader import Probe, Reader, serve_reader
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
    "run", "agent", "subtree", "tool", "application", "principal", "credential", "provider", "everything",
    "delegation", "passing agent",
)  # fmt: skip
OUTSIDE = ("delegation", "passing agent")  # what is taken back is in other hands, whatever becomes of runs
_EFFECT = """
SELECT max((content::jsonb -> 'value' ->> 'at')::float8) FROM ledger_entry
WHERE stream = ANY(%(runs)s) AND kind = 'call.succeeded'
    OR kind = 'outcome.late' AND facts ->> 'run' = ANY(%(names)s)
"""
# A tool that is stopped denies its calls, and its runs go on without.
GOES_ON = ("tool",)


# In the order in which they are told; of a stop that was not looked at for one, it is left out.
KINDS = ("stopped", "last_effect", "last_call", "last_accepted", "first_refused", "last_exchange", "last_end")


@dataclass(frozen=True, slots=True)
class Measured:
    """One stop: by kind, the ms from the click to what was seen last of it."""

    seen: dict[str, float]
    runs: int
    asked: int  # by the reader
    late: int  # answers that came too late to be believed


def measure_stops(agent: AgentIdentity, officer: User, rounds: int) -> Iterator[dict[str, Any]]:
    """Stop busy runs ``rounds`` times in every scope; yield the figures of each, then of all, in ms."""
    hire_child(agent, STEPS)
    every: list[Measured] = []
    with workers_for(BUSY), serve_reader(Tool.objects.get(team=agent.team), officer) as reader:
        for scope in SCOPES:
            measure = _measure_outside if scope in OUTSIDE else _measure_one
            found = [measure(scope, agent, officer, reader) for _ in range(rounds)]
            every += found
            yield _figures(scope, found)
    yield _figures("all", every)


def _measure_one(scope: str, agent: AgentIdentity, officer: User, reader: Reader) -> Measured:
    application = _client_of(agent, officer)
    key, _ = issue_api_key(actor=officer, user=application.service_account, label="bench")
    runs, concerned = _create(scope, application, agent, key)
    send(runs)
    _await_calls(runs)
    with reader.calls_of(_load(concerned[0])).asking() as probe:
        _wait_a_while()
        clicked = timezone.now()
        with _stopped(scope, agent, officer, application, _load(runs[0])):
            stopped = timezone.now()
            if scope in GOES_ON:
                _await_refusals(runs)
            else:
                await_ended(concerned)
            refused = probe.await_refusal(PATIENCE_S)
            # The reader's, too, before the stop is undone: from then on it may say yes again.
            moments = {
                "stopped": stopped, "last_accepted": probe.accepted_at, "first_refused": refused,
                "last_effect": _read_effect(concerned), "last_call": _read_last(concerned),
                **({} if scope in GOES_ON else {"last_end": _read_ended(concerned)}),
            }  # fmt: skip
    with _stopped("everything", agent, officer, application, None):
        await_ended(runs)
    return _measured(clicked, moments, len(concerned), probe)


def _measure_outside(scope: str, agent: AgentIdentity, officer: User, reader: Reader) -> Measured:
    application = _client_of(agent, officer)
    chain = make_chain(reader, application, agent, _child_of(agent), officer)
    runs = create_runs(application, agent, BUSY.runs, None)
    send(runs)
    _await_calls(runs)
    with reader.bearer(chain.shown).asking() as probe, chain.again.asking() as again:
        _wait_a_while()
        clicked = timezone.now()
        if scope == "delegation":
            revoke_delegation(actor=officer, delegation=Delegation.objects.get(pk=chain.root))
        else:
            stop(actor=officer, scope="agent", target=str(agent.pk), reason="To be measured.")
        stopped = timezone.now()
        refused = max(each.await_refusal(PATIENCE_S) for each in (probe, again))
        moments = {
            "stopped": stopped, "last_accepted": probe.accepted_at, "first_refused": refused,
            "last_exchange": again.accepted_at,
        }  # fmt: skip
    if scope != "delegation":
        activate_agent(actor=officer, agent=agent)
    with _stopped("everything", agent, officer, application, None):
        await_ended(runs)
    return _measured(clicked, moments, len(runs), probe)


def _measured(clicked: datetime, moments: dict[str, datetime | None], runs: int, probe: Probe) -> Measured:
    seen = {kind: _ms(clicked, moment) for kind, moment in moments.items()}
    return Measured(seen, runs, probe.asked, probe.late)


def _child_of(agent: AgentIdentity) -> AgentIdentity:
    found: AgentIdentity = AgentIdentity.objects.get(team=agent.team, slug=CHILD)
    return found


def _create(
    scope: str, application: Application, agent: AgentIdentity, key: ApiKey
) -> tuple[list[UUID], list[UUID]]:
    """Return the runs that keep the workers busy, and those of them that the stop concerns and that are measured."""
    if scope != "subtree":
        runs = create_runs(application, agent, BUSY.runs, key)
        return runs, runs[:1] if scope == "run" else runs
    parents = create_runs(application, agent, BUSY.runs // 2, key)
    child = _child_of(agent)
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


def _wait_a_while() -> None:
    """Let chance say when in the turn of whoever asks the click comes: else it would always be right after a yes."""
    time.sleep(random.uniform(0.0, 0.4))  # noqa: S311  keeps no secret


def _read_effect(runs: list[UUID]) -> datetime | None:
    """Return when the tool was called last, also in calls whose outcome came too late to count."""
    with connection.cursor() as cursor:
        cursor.execute(_EFFECT, {"runs": runs, "names": [str(run) for run in runs]})
        (at,) = cursor.fetchone()
    return None if at is None else datetime.fromtimestamp(at, UTC)


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
    seen = {kind: [each.seen[kind] for each in rounds if kind in each.seen] for kind in KINDS}
    return {
        "scope": scope, "stops": len(rounds), "runs_each": max(each.runs for each in rounds),
        **{f"click_to_{kind}_ms": _spread(times) for kind, times in seen.items() if times},
        "asked": sum(each.asked for each in rounds), "answered_late": sum(each.late for each in rounds),
    }  # fmt: skip


def _spread(times: list[float]) -> dict[str, float]:
    """Return percentiles that were measured (nearest rank): of fewer than a hundred, p99 is the longest."""
    ranked = sorted(times)

    def rank(percent: int) -> float:
        return round(ranked[ceil(percent / 100 * len(ranked)) - 1], 1)

    return {"p50": rank(50), "p95": rank(95), "p99": rank(99), "max": round(ranked[-1], 1)}
