"""Runs that ask to go on at a limit of their own, through the driver."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict
from identities.models import AgentIdentity, User
from identities.services import issue_api_key
from runs.budgeting import set_budget
from runs.erasure import erase_run
from runs.extensions import More, expire_extensions, grant_extension, refuse_extension
from runs.models import Budget, BudgetWindow, Escrow, Extension, Run
from runs.services import cancel_run, start_run
from tests.factories import AgentFactory, RunFactory
from tests.runs.company import ISSUER, SUBJECT, Company, proposes, says
from tests.runs.planner.provider import Turn

SIX = More(steps=6)


def look(number: int) -> Turn:
    """Read another order each time, so that nothing goes in circles."""
    return proposes(("look_up", {"order_id": f"A-{number}"}), text=f"Next is A-{number}.")


@pytest.fixture
def asking(company: Company) -> Run:
    """Return a run that is out of steps, and asks."""
    company.add_reads()
    company.publish(max_steps=2, max_extensions=2, extension_percent=100)
    run = company.run(look(1), look(2), look(3), look(4), says("Done."))
    assert run.state == "requires_action"
    return run


def asked() -> Extension:
    return Extension.objects.get(state="waiting")


def person(company: Company) -> User:
    return User.objects.get(pk=company.cast.ada.pk)


def grant(company: Company, more: More = SIX, **changes: Any) -> Extension:
    given = {"actor": person(company), "extension": changes.pop("extension", None) or asked()}
    return grant_extension(**{**given, "more": more, "second_factor": True, **changes})


def refuse(company: Company, **changes: Any) -> Extension:
    given = {"actor": person(company), "extension": changes.pop("extension", None) or asked()}
    return refuse_extension(**{**given, "reason": "Enough.", "second_factor": True, **changes})


# --- asked, granted, refused -------------------------------------------------------------------------------


def test_at_its_limit_a_run_parks_and_says_where_it_stands(company: Company, asking: Run) -> None:
    question = asked()
    assert asking.required_actions == [
        {"type": "extension", "id": str(question.pk), "expires_at": question.expires_at.isoformat()}
    ]
    [facts] = company.facts(asking, "run.limit_reached")
    assert (facts["limit"], facts["spent"]["steps"], facts["most"]["steps"]) == ("steps", 2, 2)
    content = company.content(asking, "run.limit_reached")
    assert (content["said"], content["not_done"]) == ("Next is A-2.", [])
    assert asking.lease_until is None


def test_without_the_term_it_halts_as_ever(company: Company) -> None:
    company.add_reads()
    company.publish(max_steps=2)
    run = company.run(look(1), look(2), says("Never."))
    assert (run.state, run.status_detail) == ("halted", "steps")
    assert not Extension.objects.exists()


def test_granted_it_goes_on_and_the_model_is_told(company: Company, asking: Run) -> None:
    grant(company, More(steps=2), reason="Two more are fine.")
    run = company.drive(asking)
    assert (run.steps, run.max_steps) == (4, 4)
    told = [message["content"] for message in company.asked()[2]["messages"] if message["role"] == "system"]
    assert "They are now: 4 steps" in told[-1]
    assert "Two more are fine." in told[-1]
    grant(company, More(steps=1))  # it asked once more
    run = company.drive(run)
    assert (run.state, run.steps) == ("completed", 5)


def test_it_asks_no_oftener_than_its_version_says(company: Company, asking: Run) -> None:
    run = asking
    for _ in range(2):
        grant(company, More(steps=1))
        run = company.drive(run)
    assert (run.state, run.status_reason, run.status_detail) == ("halted", "budget_reached", "steps")
    assert Extension.objects.count() == 2


def test_refused_it_halts(company: Company, asking: Run) -> None:
    refuse(company)
    run = company.drive(asking)
    assert (run.state, run.status_reason, run.status_detail) == ("halted", "budget_reached", "steps")
    assert company.facts(run, "budget.extension_refused")[0]["code"] == "refused"


def test_unanswered_it_expires_and_halts(company: Company, asking: Run) -> None:
    with time_machine.travel(asked().expires_at + timedelta(seconds=1), tick=False):
        assert refusal(company, More(steps=1)) == "extension_expired"
        assert expire_extensions(now=timezone.now()) == 1
        assert expire_extensions(now=timezone.now()) == 0
    run = company.drive(asking)
    assert (run.state, run.status_detail) == ("halted", "steps")
    assert Extension.objects.get().state == "expired"


def test_the_time_that_people_take_is_no_working_time(company: Company, asking: Run) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=1_000), tick=True):
        grant(company, More(steps=2))
        run = company.drive(asking)
    assert run.steps == 4
    assert run.worked_ms < 90_000


@pytest.mark.parametrize("limit", ["tokens", "usd"])
def test_it_asks_for_tokens_and_money_too(company: Company, limit: str) -> None:
    company.add_reads()
    small: dict[str, Any] = {"max_tokens": 100} if limit == "tokens" else {"max_usd": "0.0001"}
    company.publish(max_extensions=1, extension_percent=100, **small)
    run = company.run(says("Done."))
    assert asked().limit == limit
    assert (run.state, run.tokens) == ("requires_action", 0)
    Extension.objects.update(most_tokens=100_000, most_usd=Decimal(1))
    more = More(tokens=50_000) if limit == "tokens" else More(usd=Decimal("0.5"))
    grant(company, more)
    assert company.drive(run).state == "completed"


def test_a_run_that_ends_asks_no_more(company: Company, asking: Run) -> None:
    question = asked()
    cancel_run(actor=person(company), run=asking)
    run = company.drive(asking)
    assert (run.state, Extension.objects.get().state) == ("cancelled", "voided")
    assert refusal(company, More(steps=1), question) == "run_ended"


def test_erasing_the_run_erases_what_it_said_of_itself(company: Company, asking: Run) -> None:
    refuse(company, reason="They know why.")
    run = company.drive(asking)
    erase_run(actor=person(company), run=run, reason="They asked.")
    assert not [entry for entry in company.entries(run) if entry.content]


# --- bounds ------------------------------------------------------------------------------------------------


def refusal(company: Company, more: More, extension: Extension | None = None, **changes: Any) -> str:
    with pytest.raises(AgentOpsError) as caught:
        grant(company, more, extension=extension, **changes)
    return caught.value.code


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (More(steps=3), "beyond_the_bound"),
        (More(steps=-1), "beyond_the_bound"),
        (More(steps=1, tokens=10**9), "beyond_the_bound"),
        (More(steps=1, usd=Decimal("2.0001")), "beyond_the_bound"),
        (More(steps=1, seconds=91), "beyond_the_bound"),
        (More(tokens=1), "nothing_granted"),
        (More(), "nothing_granted"),
    ],
    ids=str,
)
def test_nobody_grants_beyond_the_bound(company: Company, asking: Run, more: More, code: str) -> None:
    before = company.kinds(asking)
    assert refusal(company, more) == code
    assert (company.kinds(asking), asked().state) == (before, "waiting")


def test_twice_is_once(company: Company, asking: Run) -> None:
    question = asked()
    grant(company, More(steps=1))
    assert refusal(company, More(steps=1), question) == "extension_decided"
    with pytest.raises(StateConflict, match="extension_decided"):
        refuse(company, extension=question)
    assert Run.objects.get(pk=asking.pk).max_steps == 3


@pytest.mark.parametrize("reason", ["", " ", "x" * 1_000_000], ids=["empty", "blank", "1 MB"])
def test_a_refusal_says_why(company: Company, asking: Run, reason: str) -> None:
    with pytest.raises(AgentOpsError, match="reason_"):
        refuse(company, reason=reason)


# --- shared budgets ----------------------------------------------------------------------------------------


@pytest.fixture
def bound(company: Company) -> Run:
    """Return a run that asks for steps, of a team that has a budget of them."""
    company.add_reads()
    set_budget(actor=person(company), team=company.cast.team, identity=None, window="day", max_steps=5)
    company.publish(max_steps=2, max_extensions=2, extension_percent=100)
    return company.run(look(1), look(2), look(3), look(4), says("Done."))


def committed() -> int:
    return BudgetWindow.objects.get().committed_steps


def test_what_is_granted_is_reserved_at_once_and_used_then(company: Company, bound: Run) -> None:
    assert committed() == 2
    grant(company, More(steps=2))
    assert committed() == 4
    run = company.drive(bound)
    assert (run.steps, committed()) == (4, 4)
    refuse(company)
    assert company.drive(run).state == "halted"
    assert committed() == 4
    assert not Escrow.objects.filter(settled_at=None).exists()


def test_what_was_granted_and_not_used_goes_back(company: Company, bound: Run) -> None:
    company.play(says("Done already."))
    grant(company, More(steps=2))
    run = company.drive(bound)
    assert (run.state, run.steps, committed()) == ("completed", 3, 3)


def test_nothing_is_granted_beyond_a_shared_budget(company: Company, bound: Run) -> None:
    Budget.objects.update(max_steps=3)
    before = company.kinds(bound)
    assert refusal(company, More(steps=2)) == "budget_short"
    assert (committed(), company.kinds(bound), asked().state) == (2, before, "waiting")
    grant(company, More(steps=1))
    assert committed() == 3


# --- who may -----------------------------------------------------------------------------------------------


def codes(company: Company, actor: User, **changes: Any) -> set[str]:
    with pytest.raises(PolicyDenied) as granting:
        grant(company, More(steps=1), actor=actor, **changes)
    with pytest.raises(PolicyDenied) as refusing:
        refuse(company, actor=actor, **changes)
    return {granting.value.code, refusing.value.code}


@pytest.mark.parametrize("who", ["bob", "charlie", "fiona", "application", "agent"])
def test_nobody_without_the_right_decides(company: Company, asking: Run, who: str) -> None:
    accounts = {"application": company.cast.application.service_account,
                "agent": company.cast.agent.service_account}  # fmt: skip
    actor = accounts.get(who) or getattr(company.cast, who)
    assert codes(company, actor) <= {"not_permitted", "not_visible", "not_a_person"}


def test_it_takes_a_second_factor(company: Company, asking: Run) -> None:
    assert codes(company, person(company), second_factor=False) == {"second_factor_required"}


def test_the_agents_owner_does_not_decide_even_after_giving_it_away(company: Company, asking: Run) -> None:
    owner = User.objects.get(pk=company.cast.agent.owner_id)
    assert codes(company, owner) == {"owns_the_agent"}
    AgentIdentity.objects.filter(pk=company.cast.agent.pk).update(owner=company.cast.bob)
    assert codes(company, owner) == {"owns_the_agent"}


def ask_at_one_step(company: Company, **started: Any) -> Run:
    company.add_reads()
    company.publish(max_steps=1, max_extensions=1)
    company.play(look(1), look(2))
    return company.drive(company.start(**started))


def test_who_issued_the_key_does_not_decide(company: Company) -> None:
    account = company.cast.application.service_account
    key, _ = issue_api_key(actor=person(company), user=account, label="shop")
    assert ask_at_one_step(company, credential=key).state == "requires_action"
    assert codes(company, person(company)) == {"issued_the_key"}


def test_who_started_it_does_not_decide(company: Company) -> None:
    company.add_reads()
    company.publish(max_steps=1, max_extensions=1, principal_source="staff")
    company.play(look(1), look(2))
    ada = person(company)
    run = company.drive(
        start_run(actor=ada, agent=company.cast.agent, message="Look.", issuer="agentops", subject="ada",
                  application=None)
    )  # fmt: skip
    assert run.state == "requires_action"
    assert codes(company, ada) == {"started_the_run"}
    Run.objects.filter(pk=run.pk).update(started_by=None)
    assert codes(company, ada) == {"is_the_principal"}


def test_who_has_a_part_in_a_run_above_does_not_decide(company: Company) -> None:
    desk = AgentFactory.create(team=company.cast.team, owner=person(company))
    above = RunFactory.create(
        agent_version__identity=desk, principal__issuer=ISSUER, principal__subject=SUBJECT,
        application=company.cast.application,
    )  # fmt: skip
    assert ask_at_one_step(company, parent=above).state == "requires_action"
    assert codes(company, person(company)) == {"owns_a_parents_agent"}


def test_the_database_holds_the_bound(company: Company, asking: Run) -> None:
    grant(company, More(steps=1))
    with connection.cursor() as cursor, pytest.raises(Exception, match="extension_within_its_bound"):
        cursor.execute("UPDATE runs_extension SET steps = 3")
