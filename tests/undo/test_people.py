"""People interfere with an undo that is under way: it ends, tells what is left, and the next one does only that."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agentops.errors import PolicyDenied, StateConflict
from identities.models import AgentIdentity
from identities.services import suspend_agent
from runs.models import Run
from runs.undoing import services
from runs.undoing.services import foresee_undo, undo_run
from tests.undo.desk import Desk, names

pytestmark = [pytest.mark.undo, pytest.mark.slow]

EFFECTS = [("keep", "one"), ("mail", "two"), ("ask", "three")]
WORKING_S = 8


def test_asked_for_by_many_at_once_and_again_it_is_done_once(desk: Desk) -> None:
    desk.work()
    run = desk.run(*EFFECTS)

    def ask(_: int) -> str:
        try:
            return str(desk.undo(run).pk)
        except StateConflict as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as people:
        answers = list(people.map(ask, range(4)))
    [made] = run.undos.all()
    assert sorted(answers) == sorted([str(made.pk), *["undo_under_way"] * 3])
    desk.ended(made, "completed")
    with pytest.raises(StateConflict, match="nothing_to_undo"):
        desk.undo(run)
    assert desk.undone() == names(EFFECTS)


def test_whom_it_is_not_for_undoes_nothing(desk: Desk) -> None:
    desk.work(1)
    run = desk.run(*EFFECTS)
    for person in (desk.company.cast.bob, desk.company.cast.charlie):
        with pytest.raises(PolicyDenied):
            undo_run(actor=person, run=run, reason="So.")
    assert desk.undone() == []


def test_equal_effects_are_undone_as_often_as_they_were_made(desk: Desk) -> None:
    effects = [("keep", "same"), ("ask", "same"), ("keep", "same")]
    desk.work(1)
    desk.ended(desk.undo(desk.run(*effects)), "completed")
    assert desk.happened()[3:] == [("undo_keep", "same"), ("undo_ask", "same"), ("undo_keep", "same")]


@pytest.mark.parametrize("verdict", ["approve", "deny", "expire"])
def test_people_are_asked_about_one_compensation(desk: Desk, verdict: str) -> None:
    tool = desk.tool("undo_ask")
    desk.company.let_decide(tool)
    desk.work(1)
    run = desk.run(*EFFECTS)
    desk.company.grant(tool, "REQUIRE_APPROVAL", approval_ttl_s=3 if verdict == "expire" else 600)
    made = desk.undo(run)
    if verdict != "expire":
        desk.waits(made)
        assert desk.undone() == []  # what came before it waits, too
        desk.company.decide(verdict)
    desk.ended(made, "completed", "halted", "expired")
    [told] = [line for line in desk.told(made) if line.startswith("make_ask")]
    if verdict == "approve":
        assert desk.undone() == names(EFFECTS)
        return
    assert told.startswith(
        "make_ask (step 3): not undone yet, another undo can do it by undo_ask: tried before"
    )
    desk.company.grant(tool, "ALLOW")
    desk.ended(desk.undo(run), "completed")
    assert sorted(desk.undone()) == sorted(names(EFFECTS))


def test_the_agent_is_suspended_in_the_middle(desk: Desk) -> None:
    desk.work(1)
    run = desk.run(*EFFECTS)
    made, cast = desk.undo(run), desk.company.cast
    with desk.held("ask", "after"):
        suspend_agent(actor=cast.ada, agent=cast.agent, reason="stolen")
    desk.ended(made, "halted")
    assert desk.undone() == ["three"]
    assert [line.split(": ")[1] for line in desk.told(made)] == [
        "undone by undo_ask",
        "not undone",
        "not undone yet, another undo can do it by undo_keep",
    ]
    run = Run.objects.get(pk=run.pk)
    with pytest.raises(StateConflict, match="agent_not_active"):
        desk.undo(run)
    AgentIdentity.objects.filter(pk=cast.agent.pk).update(state="active")
    desk.ended(desk.undo(Run.objects.get(pk=run.pk)), "completed")
    assert desk.undone() == names(EFFECTS)


def test_the_working_time_is_used_up_in_the_middle(desk: Desk) -> None:
    desk.company.publish(max_seconds=WORKING_S)
    desk.work(1)
    run = desk.run(*EFFECTS)
    made = desk.undo(run)
    with desk.held("ask", "after"):
        time.sleep(WORKING_S + 0.5)
    desk.ended(made, "halted")
    assert (made.status_reason, made.status_detail) == ("budget_reached", "seconds")
    assert desk.undone() == ["three"]
    desk.ended(desk.undo(run), "completed")
    assert desk.undone() == names(EFFECTS)


@pytest.mark.parametrize("mutant", ["", "forget_undone"])
def test_a_list_of_yesterday_undoes_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, mutant: str
) -> None:
    """Without the record of what was undone, or what looks at it, the suite would fail."""
    desk.work(1, mutant=mutant)
    run = desk.run(("keep", "one"))
    stale = foresee_undo(actor=desk.company.cast.ada, run=run)
    wanted = tuple(each.to_undo for each in stale if each.to_undo)
    desk.ended(desk.undo(run), "completed")
    monkeypatch.setattr(services, "_still_to_undo", lambda *_: wanted)
    desk.ended(desk.undo(run), "completed")
    assert desk.undone() == (["one", "one"] if mutant else ["one"])
