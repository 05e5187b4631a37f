"""Calls of a tool that is out of order: breakers, the retry budget, and what a run does meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import OperationalError
from pytest_django import Settings

from agentops.engine.breaker import BreakerSettings, Transition
from runs import driver
from runs.services import add_message
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Mishap, Result, busy, lose_reply, lose_request, refuse
from tests.runs.planner.provider import Conversation
from tools import mirror
from tools.breaker import Breaker, breaker
from tools.calls import ToolSpec
from tools.models import BreakerState, CapUsage, Tool


def force_open(company: Company) -> None:
    Tool.objects.filter(name="refund").update(
        forced_open_at=company.versions[0].created_at, forced_open_reason="maintenance"
    )


def test_an_open_breaker_halts_the_run_by_default(company: Company) -> None:
    company.add_tool("refund")
    force_open(company)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "circuit_open")
    assert company.states(run) == [("refused", "circuit_open")]
    assert company.world.attempts == []


def test_a_run_goes_on_without_a_tool_that_may_be_skipped(company: Company) -> None:
    company.add_tool("refund", on_breaker_open="skip")
    force_open(company)
    run = company.run(proposes(("refund", ORDER)), says("Later."))
    assert (run.state, company.states(run)) == ("completed", [("refused", "circuit_open")])
    assert company.observations()[0]["error"] == "circuit_open"


@pytest.mark.usefixtures("others_wait")
def test_a_run_waits_for_a_tool_that_it_is_told_to_wait_for(company: Company, settings: Settings) -> None:
    company.add_tool("refund", on_breaker_open="wait", breaker={"open_s": 0.05, "open_cap_s": 0.1})
    force_open(company)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    slice_s, settings.TIME_SLICE_S = settings.TIME_SLICE_S, 0
    while "call.deferred" not in company.kinds(run):
        assert driver.drive(run.pk)
    lift()
    settings.TIME_SLICE_S = slice_s
    run = company.drive(run)
    assert (run.state, company.states(run)[0][0]) == ("completed", "succeeded")
    assert company.kinds(run).count("attempt.started") == 1


def lift() -> None:
    Tool.objects.update(forced_open_at=None, forced_open_reason="")


def test_a_breaker_that_is_lifted_while_a_run_goes_on_lets_its_next_call_through(company: Company) -> None:
    company.add_tool("refund", on_breaker_open="skip")
    force_open(company)

    def lift_and_propose(conversation: Conversation) -> None:
        lift()
        proposes(("refund", {"order_id": "A-2"}))(conversation)

    run = company.run(proposes(("refund", ORDER)), lift_and_propose, says("Done."))
    assert company.states(run) == [("refused", "circuit_open"), ("succeeded", "ok")]


def test_a_call_in_doubt_whose_breaker_has_opened_is_left_to_a_person(company: Company) -> None:
    company.add_tool("refund", idempotency="honours_key")

    def lose_and_open(do: Callable[[], Result]) -> Result:
        force_open(company)
        return lose_reply(do)

    company.world.mishaps.extend([lose_and_open])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "parked")


def test_a_tool_that_keeps_failing_trips_its_breaker(company: Company) -> None:
    company.add_tool(
        "refund", max_attempts=5, breaker={"consecutive_failures": 2, "open_s": 60, "open_cap_s": 60}
    )
    company.world.mishaps.extend([busy] * 5)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, run.status_reason) == ("halted", "circuit_open")
    assert len(company.world.attempts) == 2


def use_up_retries(company: Company) -> None:
    tool = company.versions[0].tool
    while breaker().spend_retry(tool.pk, BreakerSettings()):
        pass


@pytest.mark.parametrize(
    ("mishap", "idempotency", "state", "kind"),
    [
        (busy, "honours_key", ("failed", "busy"), "call.failed"),
        # A call in doubt is never simply failed.
        (lose_reply, "honours_key", ("parked", "reply_lost"), "call.unknown"),
        # What is read back to have not happened is surely without effect.
        (lose_request, "read_back", ("failed", "not_executed"), "call.failed"),
    ],
)
def test_a_tool_whose_retries_are_used_up_is_not_called_again(
    company: Company, mishap: Mishap, idempotency: str, state: tuple[str, str], kind: str
) -> None:
    company.add_tool("refund", idempotency=idempotency)
    use_up_retries(company)
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert company.states(run) == [state]
    assert len(company.world.attempts) == 1
    assert company.facts(run, kind)[-1]["retry_budget"] == "exhausted"


def test_what_happened_is_found_out_although_retries_are_used_up(company: Company) -> None:
    company.add_tool("refund", idempotency="read_back")
    use_up_retries(company)
    company.world.mishaps.extend([lose_reply])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])
    assert "retry_budget" not in company.facts(run, "call.unknown")[0]


def test_a_call_that_gives_up_its_retry_gives_its_caps_back(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=[{"per": "day", "count": 1}])
    use_up_retries(company)
    company.world.mishaps.extend([busy])
    run = company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert (company.states(run), CapUsage.objects.get().used_count) == ([("failed", "busy")], 0)


def test_the_retries_of_many_runs_come_out_of_one_budget(company: Company) -> None:
    company.add_tool("refund", breaker={"consecutive_failures": 1000, "minimum_calls": 1000})
    company.world.mishaps.extend([busy] * 100)
    runs = [company.run(proposes(("refund", ORDER)), says("I cannot.")) for _ in range(12)]
    attempts = [len(company.facts(run, "attempt.started")) for run in runs]
    assert (sum(attempts) - len(runs), attempts[-1]) == (10, 1)


TRIPS_AT_ONCE = {"consecutive_failures": 1, "open_s": 60, "open_cap_s": 60}


def test_a_mirror_that_fails_costs_no_outcome(
    company: Company, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    company.add_tool("refund", max_attempts=1, breaker=TRIPS_AT_ONCE)
    company.world.mishaps.extend([busy])
    company.play(proposes(("refund", ORDER)), says("I cannot."))
    run, seen = company.start(), []

    def fail(spec: ToolSpec, transition: Transition) -> None:
        seen.append(company.kinds(run)[-1])
        raise OperationalError("the database is in trouble")

    monkeypatch.setattr(mirror, "record_transition", fail)
    run = company.drive(run)
    assert seen == ["call.failed"], "the outcome is safe before anything is shown"
    assert (run.state, company.states(run)) == ("completed", [("failed", "busy")])
    assert "the breaker of refund is open" in caplog.text


def test_a_breaker_that_moves_while_somebody_writes_is_shown(company: Company) -> None:
    company.add_tool("refund", max_attempts=1, breaker=TRIPS_AT_ONCE)
    company.play(proposes(("refund", ORDER)), says("I cannot."))
    run = company.start()

    def write_and_fail(do: Callable[[], Result]) -> Result:
        add_message(actor=company.cast.application.service_account, run=run, text="Well?")
        return busy(do)

    company.world.mishaps.extend([write_and_fail])
    run = company.drive(run)
    assert company.states(run) == [("failed", "busy")]
    assert BreakerState.objects.get().state == "open"


@pytest.mark.parametrize(
    ("mishap", "idempotency", "state"),
    [
        (lambda do: do(), "none", ("succeeded", "ok")),
        (lose_reply, "none", ("parked", "reply_lost")),
        (refuse, "none", ("failed", "not_refundable")),
        (busy, "none", ("succeeded", "ok")),
        (lose_request, "read_back", ("succeeded", "ok")),
    ],
)
def test_a_breaker_that_breaks_costs_no_outcome(
    company: Company,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mishap: Mishap,
    idempotency: str,
    state: tuple[str, str],
) -> None:
    """A script that answers with something else, say: no fault that Redis' client knows."""

    def fail(*_: object, **__: object) -> None:
        raise IndexError("list index out of range")

    for name in ("settle", "spend_retry"):
        monkeypatch.setattr(Breaker, name, fail)
    company.add_tool("refund", idempotency=idempotency)
    company.world.mishaps.extend([mishap])
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.states(run) == [state]
    assert "lost" not in [entry.facts.get("code") for entry in company.entries(run)]
    assert "the breaker of refund could not be told" in caplog.text
