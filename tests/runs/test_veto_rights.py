"""Who may veto a held call and when it is too late; and each guard of a window taken away."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest
from guardian.shortcuts import assign_perm

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from runs.actions import executing
from runs.models import Run
from runs.services import (
    add_message,
    veto_call,
)
from runs.session import Session
from tests.rewriting import rewrite
from tests.runs.company import Company
from tests.runs.deeds import Result
from tests.runs.test_vetoes import (
    WINDOW_S,
    change_window,
    client,
    held,
    once_over,
    refund,
    veto,
    write_while_it_waits_for_its_tool,
)
from tools import assessment
from tools.models import ToolVersion

__all__ = ["held", "refund"]


# --- who, when ---------------------------------------------------------------------------------------------


def test_a_veto_that_comes_in_the_middle_of_the_commit_wins(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = executing._commit_attempts

    def veto_and_commit(session: Session, ready: list[executing.Ready]) -> None:
        veto(company, held)
        monkeypatch.setattr(executing, "_commit_attempts", commit)
        commit(session, ready)

    monkeypatch.setattr(executing, "_commit_attempts", veto_and_commit)
    with once_over(held):
        run = company.drive(held)
    assert company.states(run) == [("refused", "vetoed")]
    assert company.world.attempts == []


def test_a_veto_comes_too_late_once_the_call_has_gone_out(company: Company, held: Run) -> None:
    def too_late(do: Callable[[], Result]) -> Result:
        with pytest.raises(StateConflict):
            veto(company, held)
        return do()

    company.world.mishaps.append(too_late)
    with once_over(held):
        run = company.drive(held)
    assert company.states(run) == [("succeeded", "ok")]
    with pytest.raises(StateConflict) as ended:
        veto(company, run)
    assert ended.value.code == "run_ended"


def test_a_veto_counts_once(company: Company, held: Run) -> None:
    veto(company, held)
    with pytest.raises(StateConflict) as twice:
        veto(company, held)
    assert twice.value.code == "not_awaited"
    assert company.kinds(held).count("call.vetoed") == 1


@pytest.mark.parametrize(("step", "call"), [(1, 2), (2, 1), (0, 0)])
def test_only_a_call_that_there_is_can_be_vetoed(company: Company, held: Run, step: int, call: int) -> None:
    with pytest.raises(StateConflict):
        veto_call(actor=client(company), run=held, step=step, call=call, reason="no")


def test_a_veto_needs_a_reason(company: Company, held: Run) -> None:
    with pytest.raises(ValidationFailed):
        veto(company, held, reason="  ")


def test_who_may_veto(company: Company, held: Run) -> None:
    cast = company.cast
    for nobody in (cast.agent.service_account, cast.bob, cast.charlie):
        with pytest.raises(PolicyDenied):
            veto(company, held, nobody)
    assert company.states(held) == [("held", "")]
    assign_perm("runs.veto_call", cast.bob)
    veto(company, held, User.objects.get(pk=cast.bob.pk))
    assert company.states(held) == [("refused", "vetoed")]


# --- guards taken away -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "function", "line", "mutant"),
    [
        (executing, "make_ready", "if held := hold_facts(call, assessment, utc_now()):", "if held := {}:"),
        (assessment, "_assess_valid", "veto_s=find_veto_window(spec.effect, standing),", "veto_s=0,"),
    ],
)
def test_without_its_guard_a_tighter_grant_holds_nothing(
    company: Company, refund: ToolVersion, held: Run, monkeypatch: pytest.MonkeyPatch,
    module: ModuleType, function: str, line: str, mutant: str,
) -> None:  # fmt: skip
    company.is_mutant = True
    rewrite(monkeypatch, module, function, line, mutant)
    change_window(company, refund, 3 * WINDOW_S)
    with once_over(held):
        run = company.drive(held)
    assert company.states(run) == [("succeeded", "ok")], "it went out before its window was over"


def test_without_heeding_the_users_words_it_goes_out(
    company: Company, held: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    line = "if call.held_since and not call.attempts and session.state.unread:"
    rewrite(monkeypatch, executing, "make_ready", line, "if False:")
    add_message(actor=client(company), run=held, text="No, wait!")
    with once_over(held):
        company.drive(held)
    assert len(company.world.effects) == 1


def test_where_only_what_is_held_heeds_them_it_goes_out_later(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    line = "call.held_since and not call.attempts and session.state.unread"
    rewrite(monkeypatch, executing, "make_ready", line, 'call.status == "held" and session.state.unread')
    write_while_it_waits_for_its_tool(company)
    assert len(company.world.effects) == 1
