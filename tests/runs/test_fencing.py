"""A driver that was taken over writes no step and no snapshot either; each guard with what happens without it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from agentops.database import borrowed
from agentops.engine import events as e
from agentops.ledger.entries import Head
from runs import lease_rows
from runs.interruptions import HeadMoved, LeaseLost
from runs.models import Run, RunSnapshot, Step
from runs.session import Session, open_session
from tests.rewriting import rewrite_appends
from tests.runs.company import Company

ASKED = {
    "step": 1,
    "attempt": 1,
    "model": "model",
    "price_version": "1",
    "reserved_tokens": 1,
    "reserved_usd": "0.01",
}


@pytest.fixture
def session(company: Company) -> Session:
    """Return a session that has a step and a snapshot to write."""
    with borrowed() as connection, connection.cursor() as cursor:
        taken = lease_rows.take_lease(cursor, company.start().pk, owner="tests:1", lease_s=60)
    assert taken is not None
    epoch, due_at, context = taken
    session = open_session(context, epoch, due_at)
    session.kept_seq = -20
    return session


def take_over(session: Session) -> None:
    Run.objects.filter(pk=session.context.run_id).update(lease_epoch=2)


def move_head(session: Session) -> None:
    session.head = Head(session.head.seq, bytes(32))


def ask(session: Session) -> None:
    session.note(e.MODEL_REQUESTED, ASKED)
    session.commit()


def test_a_driver_writes_its_steps_and_its_snapshot(session: Session) -> None:
    ask(session)
    assert session.release(None)
    assert (Step.objects.count(), RunSnapshot.objects.count()) == (1, 1)


# --- steps ------------------------------------------------------------------------------------------------


def test_a_driver_that_was_taken_over_writes_no_step(session: Session) -> None:
    take_over(session)
    with pytest.raises(LeaseLost):
        ask(session)
    assert not Step.objects.exists()


def test_a_driver_that_folded_something_else_writes_no_step(session: Session) -> None:
    move_head(session)
    with pytest.raises(HeadMoved):
        ask(session)
    assert not Step.objects.exists()


@pytest.mark.parametrize("spoil", [take_over, move_head])
def test_a_branch_that_selects_from_no_fence_writes_a_step(
    company: Company, session: Session, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Session], None]
) -> None:
    """The mutant."""
    company.is_mutant = True
    spoil(session)
    rows = "jsonb_to_recordset(head.steps)"
    rewrite_appends(monkeypatch, f"FROM head, {rows}", f"FROM w AS head, {rows}")
    with suppress(LeaseLost, HeadMoved):
        ask(session)
    assert Step.objects.count() == 1


# --- snapshots --------------------------------------------------------------------------------------------


def ring(session: Session) -> None:
    Run.objects.filter(pk=session.context.run_id).update(wake_at=session.now)


@pytest.mark.parametrize("spoil", [take_over, ring])
def test_a_driver_that_does_not_give_its_run_back_keeps_no_snapshot(
    session: Session, spoil: Callable[[Session], None]
) -> None:
    spoil(session)
    assert not session.release(None)
    assert not RunSnapshot.objects.exists()


def test_a_snapshot_that_selects_from_no_fence_is_kept(
    company: Company, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    fenced, rest = "SELECT id, %(seq)s", "%(state)s::jsonb FROM released WHERE"
    assert fenced in lease_rows._RELEASE
    assert rest in lease_rows._RELEASE
    unfenced = lease_rows._RELEASE.replace(fenced, "SELECT %(run)s::uuid, %(seq)s")
    monkeypatch.setattr(lease_rows, "_RELEASE", unfenced.replace(rest, "%(state)s::jsonb WHERE"))
    take_over(session)
    assert not session.release(None)
    assert RunSnapshot.objects.count() == 1
