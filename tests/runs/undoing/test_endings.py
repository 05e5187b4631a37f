"""An undo that is stopped in the middle says of each effect what became of it, and the next one finishes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from identities.models import KillSwitch
from identities.services import lift_switch, suspend_agent, throw_switch
from runs.actions import executing
from runs.models import Run
from runs.services import cancel_run, kill_run
from tests.runs.company import Company
from tests.runs.deeds import Result
from tests.runs.undoing.test_undo import cancelled, done, shop, undo

__all__ = ["shop"]  # a fixture

WORKING_S = 3
Stop = Callable[[Company, Run], object]


def suspend(shop: Company, run: Run) -> object:
    return suspend_agent(actor=shop.cast.ada, agent=shop.cast.agent, reason="stolen")


def switch(shop: Company, run: Run) -> object:
    return throw_switch(actor=shop.cast.ada, scope="everything", target="", reason="Fire.")


def cancel(shop: Company, run: Run) -> object:
    return cancel_run(actor=shop.cast.ada, run=run)


def kill(shop: Company, run: Run) -> object:
    return kill_run(actor=shop.cast.ada, run=run)


def stop_after_one(shop: Company, monkeypatch: pytest.MonkeyPatch, made: Run, stop: Stop) -> Run:
    """Drive an undo, and stop it when its first compensation has gone out."""
    call_tools = executing.call_tools
    calls: list[int] = []

    def call_and_stop(session: object, numbers: object) -> None:
        call_tools(session, numbers)  # type: ignore[arg-type]  # as the driver has them
        if not calls:
            calls.append(1)
            stop(shop, made)

    with monkeypatch.context() as patch:
        patch.setattr(executing, "call_tools", call_and_stop)
        return shop.drive(made)


@pytest.mark.parametrize("stop", [suspend, switch, cancel, kill])
def test_what_was_undone_and_what_was_not_is_told_of_each(
    shop: Company, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    run = done(shop, "A-1", "B-2")
    made = stop_after_one(shop, monkeypatch, undo(shop, run), stop)
    assert made.state in ("halted", "cancelled")
    assert cancelled(shop) == ["B-2"]
    _, mail, second, first = shop.content(made, f"run.{made.state}")["summary"].splitlines()
    assert mail.startswith("send_email (step 2): not undone: nothing is known")
    assert second == "refund (step 1): undone by cancel"
    assert first.startswith("refund (step 1): not undone yet, another undo can do it by cancel")


def test_the_undo_after_it_finishes(shop: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    run = done(shop, "A-1", "B-2")
    stop_after_one(shop, monkeypatch, undo(shop, run), switch)
    lift_switch(actor=shop.cast.ada, switch=KillSwitch.objects.get(), reason="Out.")
    made = shop.drive(undo(shop, run))
    assert (made.state, cancelled(shop)) == ("completed", ["B-2", "A-1"])


def test_what_is_left_when_the_working_time_is_used_up_the_next_undo_does(shop: Company) -> None:
    def take_long(do: Callable[[], Result]) -> Result:
        time.sleep(WORKING_S + 0.2)
        return do()

    shop.publish(max_seconds=WORKING_S)
    run = done(shop, "A-1", "B-2")
    shop.world.mishaps.append(take_long)
    made = shop.drive(undo(shop, run))
    assert (made.state, made.status_reason, made.status_detail) == ("halted", "budget_reached", "seconds")
    assert cancelled(shop) == ["B-2"]
    told = shop.content(made, "run.halted")["summary"]
    assert told.count("undone by cancel") == 1
    assert told.count("not undone yet") == 1
    assert shop.drive(undo(shop, run)).state == "completed"
    assert cancelled(shop) == ["B-2", "A-1"]


def test_what_waits_for_people_when_an_undo_ends_is_told(shop: Company) -> None:
    tool = shop.versions[0].tool
    run = done(shop, "A-1")
    shop.grant(tool, "REQUIRE_APPROVAL")
    shop.let_decide(tool)
    made = shop.drive(undo(shop, run))
    kill(shop, made)
    made = shop.drive(made)
    told = shop.content(made, "run.halted")["summary"]
    assert "tried before: the undo ended before somebody had decided" in told


def test_what_people_refused_is_told_as_their_refusal(shop: Company) -> None:
    tool = shop.versions[0].tool
    run = done(shop, "A-1")
    shop.grant(tool, "REQUIRE_APPROVAL")
    shop.let_decide(tool)
    made = shop.drive(undo(shop, run))
    shop.decide("deny")
    made = shop.drive(made)
    told = shop.content(made, "run.completed")["answer"]
    assert "not undone yet, another undo can do it by cancel: tried before: denied by human" in told
