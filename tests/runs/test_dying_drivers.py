"""A driver that dies, or fails, at any point: what has happened is written, and nothing happens twice."""

from __future__ import annotations

import time
from typing import Any, NoReturn

import psycopg
import pytest
from pytest_django import Settings

from agentops.engine.breaker import BreakerSettings
from agentops.ledger.models import Stream
from runs import driver, group_commit, journal, turns
from runs.actions import executing
from runs.models import Budget, Run
from runs.services import add_message
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import meanwhile
from tests.runs.test_driver import abandon, crash, drive_and_crash
from tools import permits
from tools.breaker import breaker


def start_refund(company: Company, **tool: Any) -> Run:
    """Start a run that is going to propose one refund."""
    company.add_tool("refund", **tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    return company.start()


def test_a_model_call_whose_answer_died_with_its_driver_is_paid_and_repeated(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(turns, "planner_of", crash)
        drive_and_crash(company, run)
    run = company.drive(run)
    assert (run.state, run.steps) == ("completed", 1)
    lost = company.facts(run, "model.failed")[0]
    assert (lost["code"], lost["estimated"]) == ("lost", True)
    assert run.tokens == lost["tokens"] + 120


@pytest.mark.parametrize(
    ("tool", "state", "attempts"),
    [
        ({"idempotency": "honours_key"}, "completed", 1),
        ({"idempotency": "read_back", "timeout_s": 0.3}, "completed", 1),
        ({"idempotency": "none"}, "requires_action", 0),
    ],
)
def test_an_attempt_whose_driver_died_before_the_effect(
    company: Company, monkeypatch: pytest.MonkeyPatch, tool: dict[str, Any], state: str, attempts: int
) -> None:
    run = start_refund(company, **tool)
    with monkeypatch.context() as patch:
        patch.setattr(executing, "_execute_all", crash)
        drive_and_crash(company, run)
    run = company.drive(run)
    assert (run.state, len(company.world.attempts)) == (state, attempts)
    assert len(company.asked()) == (2 if state == "completed" else 1), "the model is not asked again"


@pytest.mark.parametrize(
    ("tool", "state"),
    [
        ({"idempotency": "honours_key"}, "completed"),
        ({"idempotency": "read_back", "timeout_s": 0.3}, "completed"),
        ({"idempotency": "none"}, "requires_action"),
    ],
)
def test_an_attempt_whose_driver_died_after_the_effect_is_not_made_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch, tool: dict[str, Any], state: str
) -> None:
    run = start_refund(company, **tool)
    with monkeypatch.context() as patch:
        patch.setattr(executing, "note_outcome", crash)
        drive_and_crash(company, run)
    run = company.drive(run)
    assert (run.state, len(company.world.effects)) == (state, 1)


@pytest.mark.parametrize("idempotency", ["honours_key", "read_back"])
def test_an_attempt_whose_driver_died_is_repeated_although_the_tools_retries_are_used_up(
    company: Company, monkeypatch: pytest.MonkeyPatch, idempotency: str
) -> None:
    """The death of a driver says nothing about the tool."""
    version = company.add_tool("refund", idempotency=idempotency, timeout_s=0.3)
    while breaker().spend_retry(version.tool.pk, BreakerSettings()):
        pass
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "_execute_all", crash)
        drive_and_crash(company, run)
    assert company.states(company.drive(run)) == [("succeeded", "ok")]


def test_a_driver_stopped_right_before_the_effect_does_not_make_it_after_another(
    company: Company, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.LEASE_S = 1.5
    company.world.honours_keys = False
    run = start_refund(company, idempotency="read_back", timeout_s=0.3)
    admit, stops = permits.use_permit, [True]

    def stop_and_go_on(*arguments: Any) -> None:
        admit(*arguments)
        if stops and stops.pop():
            abandon(run)
            driver.drive(run.pk)
            time.sleep(1.6)  # the lease's end, by the stopped driver's own clock

    monkeypatch.setattr("tools.execution.use_permit", stop_and_go_on)
    run = company.drive(run)
    assert (run.state, len(company.world.effects)) == ("completed", 1)


def test_without_the_attempt_in_the_ledger_an_effect_is_made_twice(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: no entry says that an attempt was started."""
    company.is_mutant = True
    company.add_tool("refund", idempotency="none")
    company.world.honours_keys = False
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    monkeypatch.setattr(executing, "note_attempt", lambda session, item: None)
    with monkeypatch.context() as patch:
        patch.setattr(executing, "note_outcome", crash)
        drive_and_crash(company, run)
    company.drive(run)
    assert len(company.world.effects) == 2


def test_a_read_whose_driver_died_is_read_again(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.add_reads()
    company.play(proposes(("look_up", ORDER)), says("Done."))
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(executing, "note_outcome", crash)
        drive_and_crash(company, run)
    assert company.drive(run).state == "completed"


def fault(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("a fault of ours")


def test_an_outcome_survives_a_fault_before_the_next_commit(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    run = start_refund(company, idempotency="none")
    with monkeypatch.context() as patch:
        company.world.mishaps.extend([meanwhile(lambda: patch.setattr(turns, "find_route", fault))])
        company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]
    assert company.drive(run).state == "completed"
    assert (len(company.world.effects), len(company.faults)) == (1, 1)


def test_an_outcome_survives_a_fault_although_people_wrote_meanwhile(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    run = start_refund(company, idempotency="none")

    def write_and_fail(*_: object) -> None:
        add_message(actor=company.cast.application.service_account, run=run, text="Hello?")
        fault()

    with monkeypatch.context() as patch:
        company.world.mishaps.extend([meanwhile(lambda: patch.setattr(turns, "find_route", write_and_fail))])
        company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]
    assert company.drive(run).state == "completed"


def test_the_last_answer_is_not_undone_with_the_ending_that_failed(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    Budget.objects.create(team=company.cast.team, window="day", max_usd=100)  # what is held ends with the run
    company.play(says("Done."))
    run = company.start()
    append = group_commit.append

    def fail(write: journal.Write) -> journal.Appended:
        return fault() if "run.completed" in [entry.kind for entry in write.entries] else append(write)

    with monkeypatch.context() as patch:
        patch.setattr(group_commit, "append", fail)
        company.drive(run)
    assert (company.kinds(run)[-1], len(company.faults)) == ("step.decided", 1)
    run = company.drive(run)
    assert (run.state, len(company.asked())) == ("completed", 1), "the model is not asked again"


def lose_connection(patch: pytest.MonkeyPatch, kind: str, *, after: bool, times: int) -> None:
    """Break the connection of appends of a kind, before or after the database has carried them out."""
    append, left = group_commit.append, [times]

    def break_off(write: journal.Write) -> journal.Appended:
        if not left[0] or kind not in [entry.kind for entry in write.entries]:
            return append(write)
        left[0] -= 1
        if after:
            append(write)
        raise psycopg.OperationalError("the connection is lost")

    patch.setattr(group_commit, "append", break_off)


@pytest.mark.parametrize("after", [True, False])
def test_an_outcome_whose_append_got_no_answer_is_written_once(
    company: Company, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    company.expects_fault = True
    run = start_refund(company, idempotency="none")
    with monkeypatch.context() as patch:
        lose_connection(patch, "call.succeeded", after=after, times=1)
        company.drive(run)
    assert company.kinds(run).count("call.succeeded") == 1
    assert company.states(run) == [("succeeded", "ok")]
    assert Stream.objects.filter(kind="evidence").count() == 0
    run = company.drive(run)
    assert (run.state, len(company.world.effects)) == ("completed", 1)


def test_an_outcome_that_cannot_be_written_is_kept_as_evidence(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    run = start_refund(company, idempotency="none")
    with monkeypatch.context() as patch:
        lose_connection(patch, "call.succeeded", after=False, times=99)
        company.drive(run)
    assert "call.succeeded" not in company.kinds(run)
    assert Stream.objects.get(kind="evidence").head_seq == 1
    assert company.drive(run).state == "requires_action"
