"""Calls that are held for a veto, bound to what people were shown of their target."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from runs.actions import pinning
from runs.guards import Guard
from runs.lookups import previewing
from runs.models import Run
from runs.session import Session
from runs.trace import read_trace
from tests.runs.actions.test_pinning import CHANGED, down, refunds, shown
from tests.runs.company import Company
from tests.runs.deeds import WORLD
from tests.runs.previews import BEFORE, change_account, show_refunds, turns
from tests.runs.test_vetoes import veto

pytestmark = pytest.mark.approvals

WINDOW_S = 600


@pytest.fixture
def held(company: Company) -> Run:
    show_refunds(company, effect="reversible", grant="ALLOW", grant_veto_s=WINDOW_S)
    run = company.run(*turns())
    assert company.states(run) == [("held", "")]
    return run


def later(run: Run, windows: int) -> Any:
    return time_machine.travel(run.created_at + timedelta(seconds=windows * (WINDOW_S + 30)), tick=True)


def test_what_a_held_call_changes_is_shown(company: Company, held: Run) -> None:
    assert company.content(held, "call.allowed")["preview"]["changes"] == BEFORE
    with later(held, 1):
        run = company.drive(held)
    assert company.states(run) == [("succeeded", "ok")]
    assert WORLD.attempts == ["read_account", "read_account", "refund"]


def test_a_held_call_whose_target_has_changed_is_held_for_the_whole_window_again(
    company: Company, held: Run
) -> None:
    change_account(**CHANGED)
    with later(held, 1):
        run = company.drive(held)
        assert (company.states(run), refunds()) == ([("held", "")], 0)
        [again] = company.facts(run, "call.held")
        assert again["because"] == "state_changed"
        assert len(company.content(run, "call.held")["preview"]["since"]["changes"]) == 1
        assert run.wake_at is not None
        assert "not what people were shown" in " ".join(item.title for item in read_trace(run))
    with later(held, 2):
        run = company.drive(held)
    assert (company.states(run), refunds()) == ([("succeeded", "ok")], 1)


def test_a_held_call_whose_target_never_rests_is_refused(company: Company, held: Run) -> None:
    run = held
    for windows in range(1, previewing.MOST_ASKED_ANEW + 1):
        change_account()
        with later(held, windows):
            run = company.drive(run)
        assert company.states(run) == [("held", "")]
    change_account()
    with later(held, previewing.MOST_ASKED_ANEW + 1):
        run = company.drive(run)
    assert (company.states(run), refunds()) == ([("refused", "state_changed")], 0)


def test_mutant_without_the_second_look_lets_what_nobody_saw_pass(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    monkeypatch.setattr(pinning, "_is_held", lambda *_: False)
    change_account(**CHANGED)
    with later(held, 1):
        assert company.states(company.drive(held)) == [("succeeded", "ok")]


def test_held_after_an_approval_counts_how_often_people_were_asked(company: Company) -> None:
    show_refunds(company, grant_veto_s=WINDOW_S, grant_approval_ttl_s=86_400)
    run = company.run(*turns())
    for times in range(1, previewing.MOST_ASKED_ANEW + 1):
        with later(run, 2 * times):
            company.decide()
            run = company.drive(run)
            assert company.states(run) == [("held", "")]
        change_account()
        with later(run, 2 * times + 1):
            run = company.drive(run)
            assert company.states(run) == [("waiting", "")]
            assert shown()["since"]["times"] == times


def test_a_broken_preview_keeps_a_held_call_from_going_out(company: Company, held: Run) -> None:
    WORLD.mishaps.append(down)
    with later(held, 1):
        run = company.drive(held)
    assert (company.states(run), refunds()) == ([("refused", "preview_failed")], 0)


def test_what_was_asked_for_a_hold_that_a_veto_overtakes_is_told(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question went out all the same."""
    change_account(**CHANGED)
    real, vetoed = Session.commit, list[Run]()

    def commit(session: Session, guards: Sequence[Guard] = ()) -> None:
        if not vetoed and [draft.kind for draft, _ in session.pending[:1]] == ["call.held"]:
            vetoed.append(veto(company, held))
        real(session, guards)

    monkeypatch.setattr(Session, "commit", commit)
    with later(held, 1):
        run = company.drive(held)
    assert company.states(run) == [("refused", "vetoed")]
    told = [asked for entry in company.entries(run) for asked in entry.facts.get("lookups", ())]
    assert len(told) == WORLD.attempts.count("read_account") == 2
