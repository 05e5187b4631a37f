"""A call that gives another agent a task: the child, the wait, the answer, and what it is charged."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection

from agentops.engine import events as e
from agentops.engine.state import RunState
from runs.folding import read_state
from runs.models import Run
from runs.services import cancel_run, kill_run
from tests.runs.company import Company
from tests.runs.delegation.conftest import SHARE, House, collect_swept

ASK = ("ask_researcher", {"topic": "colours"})


def test_a_task_is_a_run_of_its_own_and_its_answer_the_calls_result(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    assert (run.state, run.lease_until, house.company.states(run)) == (
        "in_progress",
        None,
        [("delegated", "")],
    )
    assert (child.identity.slug, child.principal, child.trace_id) == (
        "researcher",
        run.principal,
        run.trace_id,
    )
    assert (child.started_by, child.application, child.proof) == (run.started_by, run.application, run.proof)
    assert child.expires_at <= run.expires_at
    house.answer(child)
    house.finish(run)
    assert (run.state, house.company.states(run)) == ("completed", [("succeeded", "ok")])
    told = house.company.observations()[-1]
    assert told == {"agent": "Researcher", "run": str(child.pk), "answer": "It is blue."}


def test_the_child_is_told_the_task_and_nothing_of_the_conversation(house: House) -> None:
    run = house.ask(ASK, message="My mother said a secret word.")
    (child,) = house.children(run)
    house.answer(child)
    words = str(house.company.asked()[-1]["messages"])
    assert "colours" in words
    assert "secret word" not in words


def test_a_share_is_what_the_child_has_and_what_it_used_is_charged_to_its_parent(house: House) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    assert (child.max_steps, child.max_tokens, child.max_usd, child.max_seconds) == (
        SHARE["steps"], SHARE["tokens"], Decimal(SHARE["usd"]), SHARE["seconds"],
    )  # fmt: skip
    before = _state(run)
    assert before.committed.tokens == before.spent.tokens + SHARE["tokens"]
    house.answer(child)
    house.finish(run)
    after = _state(run)
    assert after.passed_on.tokens == child.tokens > 0
    assert (after.passed_on.steps, after.passed_on.usd) == (child.steps, child.usd)
    assert run.tokens == after.spent.tokens  # what the child spent stands in its own row


def test_more_than_the_parent_has_is_refused_and_explained(company: Company) -> None:
    house = House(company)
    house.hire("researcher")
    house.add_delegation(share={**SHARE, "steps": 1_000})
    house.hire("careless", max_steps=1_000)
    house.add_delegation("careless", share={**SHARE, "steps": 1_000})
    run = house.ask(("ask_careless", {"topic": "colours"}))
    assert company.states(run)[0] == ("refused", "share_too_large")
    assert "1000 steps" in str(company.content(run, e.CALL_REFUSED))
    assert house.children(run) == []


def test_children_that_are_going_leave_less_for_the_next(company: Company) -> None:
    house = House(company)
    house.hire("researcher", max_steps=100)
    house.add_delegation(share={**SHARE, "steps": 3})
    company.publish(max_steps=5)
    run = house.ask(ASK, ("ask_researcher", {"topic": "sizes"}))
    assert sorted(company.states(run)) == [("delegated", ""), ("refused", "share_too_large")]


@pytest.mark.parametrize(("ending", "code"), [("cancelled", "child_cancelled"), ("halted", "child_halted")])
def test_a_child_without_an_answer_is_a_plain_failure(house: House, ending: str, code: str) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    (cancel_run if ending == "cancelled" else kill_run)(actor=house.company.cast.alice, run=child)
    house.company.drive(child)
    assert child.state == ending
    house.finish(run)
    assert house.company.states(run) == [("failed", code)]
    assert run.state == "completed"


def test_the_parent_of_a_lost_message_is_swept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run = house.ask(ASK)
    (child,) = house.children(run)
    house.answer(child)
    Run.objects.filter(pk=run.pk).update(wake_at=run.expires_at)
    sent = collect_swept(monkeypatch)
    assert str(run.pk) in sent


def _state(run: Run) -> RunState:
    with connection.cursor() as cursor:
        return read_state(cursor, run.pk)
