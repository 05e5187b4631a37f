"""Who had to wait for a budget's window draws by what holds after the wait."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentops.database import Prepared, borrowed
from identities.models import AgentIdentity
from runs import draws, group_commit, journal
from runs.budgeting import set_budget
from runs.driver import drive
from runs.journal import Appended, Write
from runs.models import Budget, BudgetWindow, Run
from tests.factories import BudgetFactory
from tests.locking import WINDOW, held, once_somebody_waits
from tests.rewriting import rewrite_appends
from tests.runs.company import Company, says
from tests.runs.test_driver import Crash

pytestmark = pytest.mark.budget


@pytest.fixture
def window(company: Company) -> BudgetWindow:
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    budget: Budget = BudgetFactory.create(
        team=company.cast.team, window="month", max_usd=None, max_tokens=10_000_000
    )
    made: BudgetWindow = BudgetWindow.objects.create(budget=budget, starts_at=month)
    return made


def lower_the_ceiling(company: Company) -> None:
    set_budget(actor=company.cast.alice, team=company.cast.team, identity=None, window="month", max_tokens=1)


def suspend(company: Company) -> None:
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(state="suspended")


def check_no_model_is_asked(company: Company, window: BudgetWindow, change: str) -> Run:
    changes = {"ceiling": lower_the_ceiling, "suspended": suspend}
    company.play(says("Hello."))
    run = company.start()
    with held(WINDOW, window.pk) as holder:
        once_somebody_waits(holder, lambda: changes[change](company))
        run = company.drive(run)
    assert company.asked() == []
    return run


@pytest.mark.parametrize("change", ["ceiling", "suspended"])
def test_a_draw_that_waited_heeds_what_changed_meanwhile(
    company: Company, window: BudgetWindow, change: str
) -> None:
    assert check_no_model_is_asked(company, window, change).state in ("halted", "cancelled")


@pytest.mark.parametrize("change", ["ceiling", "suspended"])
def test_where_the_draw_itself_waits_a_model_is_asked(
    company: Company, window: BudgetWindow, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The mutant: its snapshot is as old as the wait."""
    company.is_mutant = True
    rewrite_appends(monkeypatch, "OF bw SKIP LOCKED", "OF bw")
    monkeypatch.setattr(journal, "lock", lambda *_: None)
    monkeypatch.setattr(draws, "LOCK_BRIEFLY", Prepared("SELECT $1::text, $2::text"))
    with pytest.raises(AssertionError):
        check_no_model_is_asked(company, window, change)


def first_draw_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Return the append with which a run would draw."""
    kept: list[Write] = []

    def keep(write: Write) -> Appended:
        kept.append(write)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(group_commit, "append", keep)
        with pytest.raises(Crash):
            drive(run.pk)
    return kept[0]


def test_in_a_group_whoever_would_have_to_wait_is_left_out(
    company: Company, window: BudgetWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.play(says("Hello."))
    write = first_draw_of(company.start(), monkeypatch)
    assert write.draw is not None
    with held(WINDOW, window.pk), borrowed() as connection:
        found = journal.append_documents(connection, [journal.encode(write)])
    assert found[write.run].word == "window_locked"
