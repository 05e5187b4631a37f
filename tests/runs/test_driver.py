from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from agentops.database import borrowed
from agentops.engine import ENGINE_VERSION, fold
from agentops.errors import StateConflict
from agentops.identifiers import new_id
from agentops.ledger.models import Stream
from agentops.ledger.store import Cursor
from runs import driver, lease_rows, starting
from runs.leases import SharedFlag
from runs.models import Run, RunSnapshot
from runs.services import add_message, answer_input, pause_run, resume_run
from runs.tasks import sweep
from tests.rewriting import rewrite_appends
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy, lose_reply, meanwhile
from tools import permits
from tools.models import EffectRecord


class Crash(BaseException):
    """The process dies here: nothing after this point happens."""


def crash(*_: object, **__: object) -> None:
    raise Crash


def abandon(run: Run) -> None:
    """Let the lease of a driver that died run out; a heartbeat under way when it died must not renew it after that."""
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.filter(pk=run.pk).update(lease_until=past, lease_epoch=F("lease_epoch") + 1)


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
    second: list[object] = []
    company.world.mishaps.extend([meanwhile(lambda: second.append(driver.drive(run.pk)))])
    run = company.drive(run)
    assert (second, run.state, run.lease_epoch) == ([None], "completed", 1)
    assert len(company.world.attempts) == 1


def test_a_run_that_is_given_back_before_it_is_rung_goes_on_at_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Done."))
    run = company.start()
    Run.objects.filter(pk=run.pk).update(
        lease_until=timezone.now() + timedelta(minutes=1), lease_owner="else"
    )
    ring = lease_rows.ring

    def ring_late(cursor: Cursor, run_id: UUID) -> bool:
        Run.objects.filter(pk=run_id).update(lease_until=None, lease_owner="")
        return ring(cursor, run_id)

    monkeypatch.setattr(lease_rows, "ring", ring_late)
    driver.drive(run.pk)
    run.refresh_from_db()
    assert run.state == "completed"


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
    rewrite_appends(monkeypatch, "AND lease_epoch = w.epoch", "")
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


# --- the slice --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [False, True])
def test_a_run_is_handed_on_only_where_others_wait(
    company: Company, settings: Settings, monkeypatch: pytest.MonkeyPatch, others: bool
) -> None:
    settings.TIME_SLICE_S = 0
    monkeypatch.setattr(driver, "is_turn_over", lambda _: others)
    company.add_tool("refund")
    company.play(proposes(("refund", ORDER)), says("Done."))
    run = company.start()
    assert (driver.drive(run.pk) is not None) is others
    run.refresh_from_db()
    assert run.state == ("in_progress" if others else "completed")


@pytest.mark.usefixtures("others_wait")
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


@pytest.mark.usefixtures("others_wait")
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


@pytest.mark.usefixtures("others_wait")
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
    monkeypatch.setattr("approvals.closing.send_after_commit", lambda *_, **__: None)
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
        later.setattr(starting, "ENGINE_VERSION", ENGINE_VERSION + 1)
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
