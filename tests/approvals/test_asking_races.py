"""Races about what runs ask: one answer counts, one extension is granted, shared budgets hold whoever grants."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from agentops.errors import AgentOpsError
from approvals.models import Confirmation
from identities.models import User
from runs.answering import answer_handover, claim_handover, close_handover
from runs.budgeting import set_budget
from runs.extensions import More, grant_extension, refuse_extension
from runs.models import BudgetWindow, Escrow, Extension, Handover, Run
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.test_confirmations import answer
from tests.runs.test_extensions import look

pytestmark = [pytest.mark.approvals, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MANY = 12


def race(*deeds: Callable[[], object]) -> list[str]:
    """Do all at once; return how each went: done, or the code of its refusal."""
    barrier = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> str:
        try:
            barrier.wait(20)
            deed()
        except AgentOpsError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def person(company: Company, name: str = "ada") -> User:
    return User.objects.get(pk=getattr(company.cast, name).pk)


def test_one_of_many_answers_of_a_user_counts(company: Company) -> None:
    company.add_tool("refund", grant="ALLOW", grant_confirmation=True)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    question = Confirmation.objects.get()

    def say(verdict: str) -> Callable[[], object]:
        return lambda: answer(company, verdict, confirmation=question)

    went = race(*[say("confirm" if number % 2 else "refuse") for number in range(MANY)])
    assert sorted(went) == ["confirmation_answered"] * (MANY - 1) + ["done"]
    given = Confirmation.objects.get().state
    company.drive(run)
    assert len(company.world.effects) == (given == "confirmed")


def test_of_many_who_let_a_run_go_on_one_does(company: Company) -> None:
    company.add_reads()
    company.publish(max_steps=2, max_extensions=1, extension_percent=100)
    run = company.run(look(1), look(2), look(3), says("Done."))
    asked = Extension.objects.get()

    def grant() -> object:
        more = More(steps=1)
        return grant_extension(actor=person(company), extension=asked, more=more, second_factor=True)

    def refuse() -> object:
        return refuse_extension(actor=person(company), extension=asked, reason="No.", second_factor=True)

    went = race(*[grant, refuse] * (MANY // 2))
    assert went.count("done") == 1
    assert set(went) <= {"done", "extension_decided"}
    granted = Extension.objects.get().state == "granted"
    assert Run.objects.get(pk=run.pk).max_steps == (3 if granted else 2)


def test_many_grants_at_once_never_overspend_a_shared_budget(company: Company) -> None:
    company.add_reads()
    most = 2 * MANY + MANY // 2
    set_budget(actor=person(company), team=company.cast.team, identity=None, window="day", max_steps=most)
    company.publish(max_steps=2, max_extensions=1, extension_percent=50)
    runs = []
    for number in range(MANY):
        company.play(look(1), look(2), says("Done."))
        runs.append(company.drive(company.start(subject=f"customer-{number}")))
    questions = list(Extension.objects.filter(state="waiting"))
    assert len(questions) == MANY

    def grant(asked: Extension) -> Callable[[], object]:
        more = More(steps=1)
        return lambda: grant_extension(actor=person(company), extension=asked, more=more, second_factor=True)

    went = race(*[grant(asked) for asked in questions])
    assert (went.count("done"), went.count("budget_short")) == (MANY // 2, MANY // 2)
    assert BudgetWindow.objects.get().committed_steps == most
    for run in runs:
        if Extension.objects.get(run=run).state == "granted":
            company.play(says("Done."))
            assert company.drive(run).state == "completed"
    assert BudgetWindow.objects.get().committed_steps == most
    assert not Escrow.objects.filter(settled_at=None, run__state="completed").exists()


def test_a_conversation_is_answered_by_one_person(company: Company) -> None:
    company.add_reads()
    run = company.run(proposes(("hand_over", {"reason": "A lawyer writes."})), says("Passed on."))
    handover = Handover.objects.get()
    names = ("ada", "alice")

    def claim(name: str) -> Callable[[], object]:
        return lambda: claim_handover(actor=person(company, name), handover=handover)

    went = race(*[claim(name) for name in names])
    assert sorted(went) == ["done", "handover_claimed"]
    holder = names[went.index("done")]

    def reply(name: str) -> Callable[[], object]:
        return lambda: answer_handover(actor=person(company, name), handover=handover, text=name)

    def end(name: str) -> Callable[[], object]:
        return lambda: close_handover(
            actor=person(company, name), handover=handover, outcome="resolved", text=name
        )

    went = race(*[deed(name) for deed in (reply, end) for name in names])
    assert went.count("done") == 1
    assert set(went) <= {"done", "handover_claimed", "handover_answered"}
    assert Handover.objects.get().answered_by == person(company, holder)
    assert company.drive(run).state == "completed"
