"""A row that somebody has locked stops those who need it, and nobody else."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import partial

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from runs import driver, guards, lease_rows
from runs.leases import Leases
from runs.models import BudgetWindow, Run
from tests.factories import BudgetFactory, RunFactory
from tests.locking import CAPS_OF_TOOL, PATIENCE_S, RUN, WINDOW, await_waiters, held, in_thread
from tests.rewriting import rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.test_group_commit import commit, take

SOON_S = 1.0  # for a mutant, which waits for ever
CAPS = [{"per": "day", "count": 9}]


# --- leases -------------------------------------------------------------------------------------------------


def check_the_other_is_renewed(patience_s: float = PATIENCE_S) -> None:
    soon = timezone.now() + timedelta(seconds=1)
    locked, other = (RunFactory.create(lease_epoch=1, lease_until=soon) for _ in range(2))
    leases = Leases()
    with held(RUN, locked.pk) as holder:
        beat = in_thread(lambda: leases._renew([(locked.pk, 1), (other.pk, 1)]))
        beat.join(patience_s)
        renewed = Run.objects.filter(pk=other.pk, lease_until__gt=soon).exists()
        holder.rollback()
        beat.join(PATIENCE_S)
    assert renewed


@pytest.mark.django_db(transaction=True)
def test_a_locked_run_keeps_no_other_lease_from_being_renewed() -> None:
    check_the_other_is_renewed()


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_that_waits_renews_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    rewrite_text(monkeypatch, lease_rows, "_HEARTBEAT", "SKIP LOCKED", "")
    with pytest.raises(AssertionError):
        check_the_other_is_renewed(SOON_S)


@pytest.mark.django_db(transaction=True)
def test_a_lease_whose_row_is_locked_is_kept_for_as_long_as_it_was() -> None:
    soon = timezone.now() + timedelta(seconds=60)
    run, leases = RunFactory.create(lease_epoch=1, lease_until=soon), Leases()
    leases.hold(run.pk, 1, asked_at=0.0)
    before = leases._held[run.pk]
    with held(RUN, run.pk):
        leases._renew([(run.pk, 1)])
    assert leases._held[run.pk] == before
    leases._renew([(run.pk, 1)])
    assert leases._held[run.pk].until > before.until


@pytest.mark.parametrize("given_back", ["lease_until = NULL", "lease_epoch = lease_epoch + 1"])
@pytest.mark.django_db(transaction=True)
def test_a_lease_that_is_given_back_beside_the_heartbeat_stays_given_back(
    monkeypatch: pytest.MonkeyPatch, given_back: str
) -> None:
    check_it_stays_free(monkeypatch, given_back)


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_that_trusts_what_it_saw_first_renews_what_nobody_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mutant: nobody would drive the run until that lease has run out."""
    rewrite_text(
        monkeypatch, lease_rows, "_HEARTBEAT",
        "WHERE r.lease_epoch = held.epoch AND r.lease_until IS NOT NULL\n    ORDER", "ORDER",
    )  # fmt: skip
    with pytest.raises(AssertionError):
        check_it_stays_free(monkeypatch, "lease_until = NULL")


def check_it_stays_free(monkeypatch: pytest.MonkeyPatch, given_back: str) -> None:
    """The row changes after the statement has begun, and before it locks it: to have that surely, it waits here."""
    rewrite_text(monkeypatch, lease_rows, "_HEARTBEAT", "SKIP LOCKED", "")
    run = RunFactory.create(lease_epoch=1, lease_until=timezone.now() + timedelta(seconds=1))
    with held(RUN, run.pk) as holder:
        act = f"UPDATE runs_run SET {given_back} WHERE id = %s"  # noqa: S608  constants only
        holder.execute(act.encode(), (run.pk,))
        beat = in_thread(lambda: Leases()._renew([(run.pk, 1)]))
        await_waiters()
        holder.commit()
        beat.join(PATIENCE_S)
    before = run.lease_until
    run.refresh_from_db()
    assert run.lease_until in (None, before)


# --- slots --------------------------------------------------------------------------------------------------


def check_another_is_driven(
    company: Company, holder: psycopg.Connection, stuck: list[Run], other: Run, patience_s: float = PATIENCE_S
) -> None:
    """Drive a run while the drivers of others wait for what the holder holds."""
    threads = [in_thread(partial(driver.drive, run.pk)) for run in stuck]
    await_waiters(len(stuck))
    company.play(says("Hello."))
    beside = in_thread(partial(driver.drive, other.pk))
    beside.join(patience_s)
    done = not beside.is_alive()
    holder.rollback()
    for thread in (*threads, beside):
        thread.join(PATIENCE_S)
    assert done


def test_messages_for_a_locked_run_leave_slots_to_other_runs(company: Company) -> None:
    """The sweeper goes on sending them."""
    locked, other = company.start(), company.start()
    with held(RUN, locked.pk) as holder:
        check_another_is_driven(company, holder, [locked] * settings.DRIVER_SLOTS, other)


def wait_for_caps(company: Company, patience_s: float = PATIENCE_S) -> None:
    tool = company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=CAPS).tool
    company.run(proposes(("refund", ORDER)), says("Done."))  # the cap's row is there
    company.play(proposes(("refund", ORDER)))
    stuck = [company.start() for _ in range(settings.DRIVER_SLOTS)]
    other = company.start()
    with held(CAPS_OF_TOOL, tool.pk) as holder:
        check_another_is_driven(company, holder, stuck, other, patience_s)


def test_runs_that_wait_for_a_cap_leave_slots_to_other_runs(company: Company) -> None:
    wait_for_caps(company)


def test_where_a_cap_is_waited_for_in_a_slot_nobody_is_driven(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    monkeypatch.setattr(guards, "waiting_outside", nullcontext)
    with pytest.raises(AssertionError):
        wait_for_caps(company, SOON_S)


def test_a_cap_does_not_keep_the_leases_of_other_runs_from_being_renewed(company: Company) -> None:
    """The append behind a cap has its run's row locked."""
    tool = company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=CAPS).tool
    company.run(proposes(("refund", ORDER)), says("Done."))
    company.play(proposes(("refund", ORDER)), says("Done."))
    stuck, soon = company.start(), timezone.now() + timedelta(seconds=1)
    other = RunFactory.create(lease_epoch=1, lease_until=soon)
    with held(CAPS_OF_TOOL, tool.pk) as holder:
        driving = in_thread(partial(driver.drive, stuck.pk))
        await_waiters()
        Leases()._renew([(stuck.pk, 1), (other.pk, 1)])
        holder.rollback()
        driving.join(PATIENCE_S)
    assert Run.objects.filter(pk=other.pk, lease_until__gt=soon).exists()
    Run.objects.filter(pk=other.pk).update(lease_epoch=0)  # a row of a factory has no entries


# --- appends ------------------------------------------------------------------------------------------------


def test_a_window_that_is_waited_for_stops_no_append_that_needs_none(company: Company) -> None:
    month = timezone.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    budget = BudgetFactory.create(team=company.cast.team, window="month", max_usd=None, max_tokens=10_000_000)
    window = BudgetWindow.objects.create(budget=budget, starts_at=month)
    company.play(says("Hello."))
    drawing, other = company.start(), company.start()
    writer = take(other)
    with held(WINDOW, window.pk) as holder:
        driving = in_thread(partial(driver.drive, drawing.pk))
        await_waiters()
        assert commit(writer) is None
        holder.rollback()
        driving.join(PATIENCE_S)
    drawing.refresh_from_db()
    assert drawing.state == "completed"
