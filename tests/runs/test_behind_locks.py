"""Who had to wait for a lock acts on how things stand after the wait, and on nothing older."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from guardian.shortcuts import remove_perm

from approvals import gate
from identities.models import AgentIdentity, User
from runs import journal
from runs.actions import executing
from runs.session import Session
from tests.locking import CAPS_OF_TOOL, RUN, held, once_somebody_waits
from tests.rewriting import rewrite_appends, rewrite_text
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.test_grant_terms import REFUND, add_waived_tool
from tools import standing
from tools.caps import reserve_caps
from tools.models import Tool


@pytest.fixture
def before_the_first_attempt(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[UUID], object]], None]:
    """Let something happen between the last look and the append of the attempt."""
    commit = executing._commit_attempts
    done: list[object] = []

    def arrange(happens: Callable[[UUID], object]) -> None:
        def happen_and_commit(session: Session, ready: Sequence[executing.Ready]) -> None:
            if not done:
                done.append(happens(session.context.run_id))
            commit(session, ready)

        monkeypatch.setattr(executing, "_commit_attempts", happen_and_commit)

    return arrange


Arrange = Callable[[Callable[[UUID], object]], None]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


# --- the run itself -----------------------------------------------------------------------------------------


def suspend(company: Company) -> None:
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(state="suspended")


def retire(company: Company) -> None:
    Tool.objects.update(state="retired")


def check_the_attempt_is_stopped(
    company: Company, arrange: Arrange, stack: ExitStack, change: Callable[[Company], None]
) -> None:
    """Somebody holds the run's row, the change is committed while its driver waits, the holder lets go."""
    company.add_tool("refund")

    def lock(run: UUID) -> None:
        holder = stack.enter_context(held(RUN, run))
        once_somebody_waits(holder, lambda: change(company))

    arrange(lock)
    company.run(proposes(("refund", ORDER)), says("Done."))
    assert company.world.attempts == []


@pytest.mark.parametrize("change", [suspend, retire])
def test_what_changed_while_the_run_was_locked_stops_the_attempt(
    company: Company,
    before_the_first_attempt: Arrange,
    stack: ExitStack,
    change: Callable[[Company], None],
) -> None:
    check_the_attempt_is_stopped(company, before_the_first_attempt, stack, change)


def test_where_the_append_itself_waits_the_attempt_is_made(
    company: Company, before_the_first_attempt: Arrange, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: its snapshot is as old as the wait."""
    company.is_mutant = True
    rewrite_appends(monkeypatch, "FOR NO KEY UPDATE SKIP LOCKED", "FOR NO KEY UPDATE")
    monkeypatch.setattr(journal, "lock", lambda *_: None)
    with pytest.raises(AssertionError):
        check_the_attempt_is_stopped(company, before_the_first_attempt, stack, suspend)


# --- who signed a waiver ------------------------------------------------------------------------------------


def close_signer(company: Company) -> None:
    User.objects.filter(pk=company.cast.bob.pk).update(is_active=False)


def check_nothing_is_waived(company: Company, arrange: Arrange) -> None:
    add_waived_tool(company)
    arrange(lambda _: close_signer(company))
    run = company.run(proposes(REFUND), says("Done."))
    assert (company.world.attempts, company.states(run)[0][0]) == ([], "waiting")


def test_a_signer_who_is_gone_when_the_attempt_is_written_waives_nothing(
    company: Company, before_the_first_attempt: Arrange
) -> None:
    check_nothing_is_waived(company, before_the_first_attempt)


def test_without_the_signers_in_what_is_compared_it_is_waived(
    company: Company, before_the_first_attempt: Arrange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    signers = "u.id IN (g.waived_by_id, g.countersigned_by_id)"
    old, new = f"{signers}\n                AND u.is_active AND u.kind = 'person'", signers
    rewrite_text(monkeypatch, standing, "_STANDING_OF_WRITE", old, new)
    rewrite_appends(monkeypatch, old, new)
    with pytest.raises(AssertionError):
        check_nothing_is_waived(company, before_the_first_attempt)


def test_a_signer_who_goes_while_a_cap_is_waited_for_waives_nothing(company: Company) -> None:
    tool = add_waived_tool(company).tool
    company.run(proposes(REFUND), says("Done."))  # the cap's row is there
    assert company.world.attempts == ["refund"]
    company.play(proposes(REFUND), says("Done."))
    run = company.start()
    with held(CAPS_OF_TOOL, tool.pk) as holder:
        once_somebody_waits(holder, lambda: close_signer(company))
        company.drive(run)
    assert company.world.attempts == ["refund"]


# --- who approved -------------------------------------------------------------------------------------------


def check_nothing_is_approved(company: Company, arrange: Arrange) -> None:
    version = company.add_tool("refund", effect="irreversible", grant="REQUIRE_APPROVAL")
    company.let_decide(version.tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    company.decide()
    arrange(lambda _: remove_perm("approve_calls", company.cast.fiona, version.tool))
    run = company.drive(run)
    assert (company.world.attempts, company.states(run)) == ([], [("refused", "approval_voided")])


def test_an_approver_who_may_approve_no_more_when_the_attempt_is_written_has_approved_nothing(
    company: Company, before_the_first_attempt: Arrange
) -> None:
    check_nothing_is_approved(company, before_the_first_attempt)


def test_without_another_look_at_the_approver_it_is_approved(
    company: Company, before_the_first_attempt: Arrange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant."""
    company.is_mutant = True
    rewrite_text(monkeypatch, gate, "CONSUME", "consumed_at IS NOT NULL OR", "true OR")
    with pytest.raises(AssertionError):
        check_nothing_is_approved(company, before_the_first_attempt)


# --- the clock ----------------------------------------------------------------------------------------------


def test_a_grant_that_runs_out_while_a_cap_is_waited_for_allows_nothing(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = company.add_tool("refund", grant=None)
    ends = timezone.now() + timedelta(seconds=1)
    company.grant(version.tool, "ALLOW_WITH_CAPS", caps=[{"per": "day", "count": 5}], valid_until=ends)

    def wait_and_reserve(*arguments: Any) -> bool:
        while timezone.now() <= ends:
            time.sleep(0.02)
        return reserve_caps(*arguments)

    monkeypatch.setattr(executing, "reserve_caps", wait_and_reserve)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert (company.world.attempts, company.states(run)) == ([], [("refused", "grant_expired")])
