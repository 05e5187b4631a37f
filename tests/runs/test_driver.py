from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any, NoReturn

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from agentops.database import borrowed
from agentops.engine import ENGINE_VERSION, fold
from agentops.engine.breaker import BreakerSettings
from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger.models import Stream
from runs import driver, group_commit, journal, lease_rows, services, turns
from runs.actions import executing
from runs.leases import SharedFlag
from runs.models import Budget, Run, RunSnapshot
from runs.services import add_message, answer_input, pause_run, resume_run
from runs.tasks import sweep
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy, lose_reply, meanwhile
from tools import execution, permits
from tools.models import EffectRecord


class Crash(BaseException):
    """The process dies here: nothing after this point happens."""


def crash(*_: object, **__: object) -> None:
    raise Crash


def abandon(run: Run) -> None:
    """Let the lease of a driver that died run out."""
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def drive_and_crash(company: Company, run: Run) -> None:
    with pytest.raises(Crash):
        company.drive(run)
    permits._used.clear()  # the next driver is another process
    abandon(run)


def test_a_run_looks_up_acts_and_answers(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    run = company.run(proposes(("look_up", ORDER)), proposes(("refund", ORDER)), says("Refunded."))
    assert (run.state, run.status_reason, run.steps, run.tool_calls) == ("completed", "", 3, 2)
    assert company.content(run, "run.completed") == {"answer": "Refunded."}
    assert company.states(run) == [("succeeded", "ok"), ("succeeded", "ok")]
    assert (run.lease_until, run.ended_at is not None) == (None, True)
    assert [message["role"] for message in company.asked()[-1]["messages"]] == [
        "system",
        "user",
        *["assistant", "tool"] * 2,
    ]
    assert len(company.world.effects) == 1


def test_a_run_with_the_null_planner(company: Company) -> None:
    company.add_tool(
        "noop",
        input_schema={
            "type": "object",
            "properties": {"turn": {"type": "integer"}, "padding": {"type": "string"}},
        },
    )
    company.publish(planner="null")
    run = company.drive(company.start())
    assert (run.state, run.steps, run.tool_calls) == ("completed", 11, 10)


def test_an_ended_run_is_not_driven(company: Company) -> None:
    run = company.run(says("Done."))
    before = company.kinds(run)
    assert company.drive(run).lease_epoch == 1
    assert company.kinds(run) == before


@pytest.mark.usefixtures("company")
def test_an_unknown_run_is_not_driven() -> None:
    assert not driver.drive(new_id())


# --- leases -----------------------------------------------------------------------------------------------


def test_a_second_driver_rings_and_leaves(company: Company) -> None:
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    second: list[bool] = []
    company.world.mishaps.extend([meanwhile(lambda: second.append(driver.drive(run.pk)))])
    run = company.drive(run)
    assert (second, run.state, run.lease_epoch) == ([False], "completed", 1)
    assert len(company.world.attempts) == 1


def test_a_driver_that_was_taken_over_keeps_its_outcome_as_evidence_only(company: Company) -> None:
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()

    def take_over() -> None:
        abandon(run)
        driver.drive(run.pk)  # finds an attempt without an outcome, and leaves it to people

    company.world.mishaps.extend([meanwhile(take_over)])
    run = company.drive(run)
    assert (run.state, company.states(run)[0][0]) == ("requires_action", "parked")
    assert "call.succeeded" not in company.kinds(run)
    stream = Stream.objects.get(kind="evidence")
    assert stream.head_seq == 1


def test_without_the_fence_a_driver_that_was_taken_over_writes(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: its late outcome reaches the stream, if only the head lets it."""
    company.is_mutant = True
    rewrite_appends(monkeypatch, "AND r.lease_epoch = w.epoch", "")
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()

    def take_over() -> None:
        Run.objects.filter(pk=run.pk).update(lease_epoch=2)

    company.world.mishaps.extend([meanwhile(take_over)])
    assert "call.succeeded" in company.kinds(company.drive(run))


def test_a_lease_that_was_lost_writes_nothing_at_all(company: Company) -> None:
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    company.world.mishaps.extend([meanwhile(lambda: Run.objects.filter(pk=run.pk).update(lease_epoch=2))])
    run = company.drive(run)
    assert company.kinds(run)[-1] == "attempt.started"
    assert (company.states(run)[0][0], EffectRecord.objects.get().state) == ("started", "started")
    assert run.tokens == 120


# --- a driver that dies -----------------------------------------------------------------------------------


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
    company.add_tool("refund", **tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
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
    company.add_tool("refund", **tool)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
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
    while execution.breaker().spend_retry(version.tool.pk, BreakerSettings()):
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
    company.add_tool("refund", idempotency="read_back", timeout_s=0.3)
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
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
    monkeypatch.setattr(executing, "_note_attempt", lambda session, item: None)
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
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    with monkeypatch.context() as patch:
        company.world.mishaps.extend([meanwhile(lambda: patch.setattr(turns, "_reserve", fault))])
        company.drive(run)
    assert company.states(run) == [("succeeded", "ok")]
    assert company.drive(run).state == "completed"
    assert (len(company.world.effects), len(company.faults)) == (1, 1)


def test_an_outcome_survives_a_fault_although_people_wrote_meanwhile(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.expects_fault = True
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()

    def write_and_fail(*_: object) -> None:
        add_message(actor=company.cast.application.service_account, run=run, text="Hello?")
        fault()

    with monkeypatch.context() as patch:
        company.world.mishaps.extend([meanwhile(lambda: patch.setattr(turns, "_reserve", write_and_fail))])
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
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
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
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    with monkeypatch.context() as patch:
        lose_connection(patch, "call.succeeded", after=False, times=99)
        company.drive(run)
    assert "call.succeeded" not in company.kinds(run)
    assert Stream.objects.get(kind="evidence").head_seq == 1
    assert company.drive(run).state == "requires_action"


def test_a_fault_of_the_driver_fails_the_test_that_does_not_expect_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    with monkeypatch.context() as patch:
        patch.setattr(turns, "_reserve", lambda *_: 1 // 0)
        company.drive(company.start())
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        company.check()
    company.expects_fault = True


# --- the slice --------------------------------------------------------------------------------------------


def test_a_run_goes_on_in_the_next_slice(company: Company, settings: Settings) -> None:
    settings.TIME_SLICE_S = 0
    company.add_tool("refund")
    company.world.mishaps.extend([busy, lose_reply])
    company.play(proposes(("refund", ORDER)), says("Done."))
    run, slices = company.start(), 1
    while driver.drive(run.pk):
        slices += 1
    run.refresh_from_db()
    assert (run.state, len(company.world.effects)) == ("completed", 1)
    assert slices == run.lease_epoch + 1 > 5


def test_an_outcome_at_the_end_of_a_slice_survives_a_moved_head(company: Company, settings: Settings) -> None:
    settings.TIME_SLICE_S = 0
    company.add_tool("refund", idempotency="none")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()

    def add() -> None:
        add_message(actor=company.cast.application.service_account, run=run, text="Hello?")

    company.world.mishaps.extend([meanwhile(add)])
    while driver.drive(run.pk):
        pass
    run.refresh_from_db()
    assert (run.state, company.states(run)) == ("completed", [("succeeded", "ok")])


def test_a_worker_that_stops_gives_its_runs_back(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    flag = SharedFlag()
    monkeypatch.setattr(driver, "stopping", flag)
    company.world.mishaps.extend([meanwhile(flag.set)])
    assert driver.drive(run.pk)
    run.refresh_from_db()
    assert (run.state, run.lease_until) == ("in_progress", None)
    assert company.states(run) == [("succeeded", "ok")], "what it has seen is written before it goes"


def test_a_ring_at_the_end_of_a_slice_does_not_keep_the_lease(company: Company, settings: Settings) -> None:
    settings.TIME_SLICE_S = 0
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    company.world.mishaps.extend([meanwhile(lambda: ring(run))])
    while driver.drive(run.pk):
        pass
    run.refresh_from_db()
    assert (run.state, run.lease_until) == ("completed", None)


def ring(run: Run) -> None:
    with connection.cursor() as cursor:
        lease_rows.ring(cursor, run.pk)


# --- finding what is due ----------------------------------------------------------------------------------


def due() -> list[object]:
    with connection.cursor() as cursor:
        return list(lease_rows.find_due(cursor, 100))


def test_the_sweeper_finds_what_is_due_and_nothing_else(company: Company) -> None:
    company.add_tool("refund")
    company.play(says("Done."))
    queued, leased, abandoned, resting, ended = (company.start() for _ in range(5))
    now = timezone.now()
    Run.objects.filter(pk=leased.pk).update(wake_at=None, lease_until=now + timedelta(minutes=1))
    Run.objects.filter(pk=abandoned.pk).update(wake_at=None, lease_until=now - timedelta(minutes=1))
    Run.objects.filter(pk=resting.pk).update(wake_at=now + timedelta(minutes=1))
    company.drive(ended)
    assert set(due()) == {queued.pk, abandoned.pk}
    assert sweep() == 2


def test_a_decision_whose_message_was_lost_is_found(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert due() == []
    monkeypatch.setattr("approvals.services.send_after_commit", lambda *_: None)
    company.decide()
    assert due() == [run.pk]


# --- snapshots --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("junk", [{}, {"seq": 4, "phase": "ready"}, "junk", [1]])
def test_a_snapshot_that_nobody_can_read_is_thrown_away(company: Company, junk: object) -> None:
    run = company.run(proposes(("ask_user", {"question": "?"})), says("Done."))
    RunSnapshot.objects.create(run=run, seq=4, engine=ENGINE_VERSION, state=junk)
    answer_input(actor=company.cast.application.service_account, run=run, text="Yes.")
    assert company.drive(run).state == "completed"


def test_a_run_of_a_later_release_is_left_to_its_workers(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Done."))
    with monkeypatch.context() as later:
        later.setattr(services, "ENGINE_VERSION", ENGINE_VERSION + 1)
        run = company.start()
    assert not driver.drive(run.pk)
    run.refresh_from_db()
    assert (run.state, run.lease_until, company.asked()) == ("queued", None, [])
    assert run.wake_at is not None
    assert timezone.now() < run.wake_at < timezone.now() + timedelta(seconds=10)
    with pytest.raises(StateConflict, match="newer_engine"):
        add_message(actor=company.cast.application.service_account, run=run, text="Hello?")
    for command in ("replay", "record_history"):
        with pytest.raises(CommandError, match="goes by engine"):
            call_command(command, str(run.pk))
    monkeypatch.setattr(fold, "ENGINE_VERSION", ENGINE_VERSION + 1)
    assert company.drive(run).state == "completed"


def test_a_long_run_goes_on_from_its_snapshot(company: Company, settings: Settings) -> None:
    company.add_reads()
    company.publish(max_steps=40)
    company.play(
        *(proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(12)),
        proposes(("ask_user", {"question": "?"})),
        says("Done."),
    )
    run = company.drive(company.start())
    snapshot = RunSnapshot.objects.get()
    assert snapshot.seq == Stream.objects.get(pk=run.pk).head_seq
    RunSnapshot.objects.update(engine=0, state={})  # of another engine: thrown away
    run = pause_run(actor=company.cast.alice, run=run)
    run = company.drive(resume_run(actor=company.cast.alice, run=company.drive(run)))
    assert run.state == "requires_action"


def test_forty_runs_at_once(company: Company) -> None:
    company.add_tool("refund")
    company.play(says("Done."))
    runs = [company.start() for _ in range(40)]
    together = [threading.Thread(target=drive_in_thread, args=(run,)) for run in runs for _ in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert set(Run.objects.values_list("state", flat=True)) == {"completed"}


def drive_in_thread(run: Run) -> None:
    try:
        while driver.drive(run.pk):
            pass
    finally:
        connection.close()


def test_a_heartbeat_that_comes_late_leaves_a_run_free_that_was_given_back(company: Company) -> None:
    company.play(says("Done."))
    run = company.start()
    with borrowed() as lent, lent.cursor() as cursor:
        taken = lease_rows.take_lease(cursor, run.pk, owner="me", lease_s=15)
        assert taken is not None
        epoch = taken[0]
        assert lease_rows.renew_leases(cursor, [(run.pk, epoch)], 15) == {run.pk: True}
        assert lease_rows.release_lease(
            cursor, run.pk, epoch, wake_at=None, seq=0, engine=0, state="{}", keep=False
        )
        assert lease_rows.renew_leases(cursor, [(run.pk, epoch)], 15) == {}
    assert company.drive(run).state == "completed"
