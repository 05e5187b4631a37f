from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from runs.escrow import CALLS_AHEAD
from runs.models import BudgetWindow, Escrow, Run, Step
from runs.planner.calls import is_tool_name
from runs.services import add_message, answer_input
from runs.session import Session
from tests.factories import BudgetFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import Result
from tests.runs.planner.provider import Turn, completion, raw, reply

EMPTY = reply(completion(message={"content": ""}))
REFUSAL = reply(completion(message={"content": None, "refusal": "I cannot help with that."}))
ERROR = reply({"error": {"message": "down"}}, 503)
BUSY = reply({"error": {"message": "slow down"}}, 429, retry_after="0")
GARBAGE = reply(b"<html>")
LOST = raw(b"")


def usage(prompt: int, output: int, **details: int) -> dict[str, Any]:
    return {
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": output,
            "total_tokens": prompt + output,
            "prompt_tokens_details": {"cached_tokens": details.get("cached", 0)},
            "completion_tokens_details": {"reasoning_tokens": details.get("reasoning", 0)},
        }
    }


def bad_model_ends(company: Company, *turns: Turn) -> Run:
    return company.run(*turns)


# --- what a model may do ----------------------------------------------------------------------------------


def test_an_answer_without_calls_ends_the_run(company: Company) -> None:
    run = company.run(says("Hello."))
    assert (run.state, run.steps, run.tokens, run.usd) == ("completed", 1, 120, Decimal("0.00014"))
    assert company.kinds(run) == ["run.started", "model.requested", "step.decided", "run.completed"]


def test_a_refusal_is_an_answer(company: Company) -> None:
    run = company.run(REFUSAL)
    assert run.state == "completed"
    assert company.content(run, "run.completed") == {"answer": "I cannot help with that."}


@pytest.mark.parametrize("fault", [EMPTY, BUSY, ERROR, GARBAGE, LOST])
def test_a_turn_that_went_wrong_is_asked_for_again(company: Company, fault: Turn) -> None:
    run = company.run(fault, says("Hello."))
    assert (run.state, run.steps) == ("completed", 1)
    assert [facts["attempt"] for facts in company.facts(run, "model.requested")] == [1, 2]
    assert Step.objects.get(run=run).attempts == 2


@pytest.mark.parametrize("fault", [EMPTY, BUSY, ERROR, GARBAGE, LOST])
def test_a_model_that_never_answers_fails_the_run(company: Company, fault: Turn) -> None:
    run = company.run(fault)
    assert (run.state, run.status_reason) == ("failed", "planner_error")
    assert company.kinds(run).count("model.requested") == 3
    assert "The model could not be asked." in company.content(run, "run.failed")["summary"]


def test_a_rejected_key_is_not_tried_again(company: Company) -> None:
    run = company.run(reply({"error": {"message": "no"}}, 401))
    assert (run.state, company.kinds(run).count("model.requested")) == ("failed", 1)


def test_what_may_have_cost_something_is_charged_in_full(company: Company) -> None:
    run = company.run(LOST, says("Hello."))
    lost = company.facts(run, "model.failed")[0]
    reserved = company.facts(run, "model.requested")[0]
    assert (lost["estimated"], lost["tokens"], lost["usd"]) == (
        True,
        reserved["reserved_tokens"],
        reserved["reserved_usd"],
    )
    assert run.tokens == reserved["reserved_tokens"] + 120


def test_a_provider_that_does_not_measure_is_charged_the_reservation(company: Company) -> None:
    run = company.run(reply(completion(usage=None)))
    assert run.tokens == company.facts(run, "model.requested")[0]["reserved_tokens"]
    assert company.facts(run, "step.decided")[0]["estimated"] is True


def test_cached_and_reasoning_tokens_are_kept(company: Company) -> None:
    run = company.run(says("Hello.", **usage(1000, 50, cached=800, reasoning=30)))
    step = Step.objects.get(run=run)
    assert (step.input_tokens, step.cached_tokens, step.output_tokens) == (1000, 800, 50)
    assert company.facts(run, "step.decided")[0]["usage"]["reasoning"] == 30


@pytest.mark.parametrize("name", ["größe", "get.order", "x" * 65, ""])
def test_a_name_that_providers_refuse_is_shown_again_as_one_they_take(company: Company, name: str) -> None:
    company.run(proposes((name, ORDER)), says("Sorry."))
    (shown,) = [m["tool_calls"] for m in company.asked()[-1]["messages"] if m["role"] == "assistant"]
    assert is_tool_name(shown[0]["function"]["name"])


def test_the_thought_is_erasable_content(company: Company) -> None:
    run = company.run(reply(completion(message={"content": "Yes.", "reasoning_content": "Let me see."})))
    assert company.content(run, "step.decided")["thought"] == "Let me see."
    assert "Let me see." not in str([entry.facts for entry in company.entries(run)])


def test_one_trace_goes_through_every_model_and_tool_call(company: Company) -> None:
    company.add_reads()
    run = company.run(proposes(("look_up", ORDER)), says("Done."))
    parents = [received.headers["traceparent"] for received in company.provider.received]
    parents += [caller.traceparent for caller in company.world.callers]
    assert {parent.split("-")[1] for parent in parents} == {run.trace_id}
    assert len(set(parents)) == 3, "each with a span of its own"


# --- circles ----------------------------------------------------------------------------------------------


def test_the_same_call_three_times_is_stuck(company: Company) -> None:
    company.add_reads()
    run = company.run(proposes(("look_up", ORDER)))
    assert (run.state, run.status_reason, run.steps) == ("halted", "stuck", 3)
    assert company.world.attempts == ["look_up"] * 2


def test_a_cycle_of_two_calls_is_stuck(company: Company) -> None:
    company.add_reads()
    here, there = proposes(("look_up", ORDER)), proposes(("look_up", {"order_id": "A-2"}))
    run = company.run(here, there, here, there, here, there, says("Never."))
    assert (run.state, run.status_reason, run.steps) == ("halted", "stuck", 5), "the third time of the first"


def test_the_same_call_among_new_ones_is_stuck(company: Company) -> None:
    company.add_reads()
    others = [proposes(("look_up", ORDER), ("look_up", {"order_id": f"B-{n}"})) for n in range(4)]
    run = company.run(*others, says("Never."))
    assert (run.state, run.status_reason, run.steps) == ("halted", "stuck", 3)


def test_what_was_read_may_be_read_again_after_a_write(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund")
    look = proposes(("look_up", ORDER))
    writes = [proposes(("refund", {"order_id": f"A-{n}"})) for n in range(3)]
    run = company.run(look, writes[0], look, writes[1], look, writes[2], look, says("Done."))
    assert (run.state, len(company.world.effects)) == ("completed", 3)


def test_a_question_that_was_answered_may_be_asked_again(company: Company) -> None:
    question = proposes(("ask_user", {"question": "Anything else?"}))
    run = company.run(question, question, question, question, says("Goodbye."))
    for _ in range(4):
        assert run.state == "requires_action"
        answer_input(actor=company.cast.application.service_account, run=run, text="Yes.")
        run = company.drive(run)
    assert run.state == "completed"


def test_how_often_is_the_versions_choice(company: Company) -> None:
    company.add_reads()
    company.publish(repeat_limit=5)
    run = company.run(proposes(("look_up", ORDER)))
    assert (run.status_reason, run.steps) == ("stuck", 5)


def test_the_same_call_with_other_arguments_is_not_stuck(company: Company) -> None:
    company.add_reads()
    turns = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(5)]
    assert company.run(*turns, says("Done.")).state == "completed"


# --- the run's own limits ---------------------------------------------------------------------------------


def test_steps(company: Company) -> None:
    company.add_reads()
    company.publish(max_steps=2)
    turns = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(5)]
    run = company.run(*turns)
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 2)
    assert company.states(run) == [("succeeded", "ok")] * 2, "what was decided is carried out"


def test_tokens(company: Company) -> None:
    company.publish(max_tokens=1)
    run = company.run(says("Hello."))
    assert (run.state, run.status_reason, run.tokens) == ("halted", "budget_reached", 0)
    assert company.facts(run, "budget.exhausted")[0]["limit"] == "tokens"
    assert company.asked() == []


def test_usd(company: Company) -> None:
    company.publish(max_usd=Decimal("0.0001"))
    run = company.run(says("Hello."))
    assert (run.state, run.status_reason, run.usd) == ("halted", "budget_reached", Decimal(0))
    assert company.facts(run, "budget.exhausted")[0]["limit"] == "usd"
    assert company.asked() == []


def test_the_completion_is_clamped_to_what_is_left(company: Company) -> None:
    company.publish(max_tokens=4000, max_completion_tokens=100_000)
    run = company.run(says("Hello."))
    request = company.facts(run, "model.requested")[0]
    assert run.state == "completed"
    assert request["reserved_tokens"] == 4000
    assert company.asked()[0]["max_completion_tokens"] == request["max_completion_tokens"] < 4000


def test_seconds(company: Company) -> None:
    company.add_reads()
    company.publish(max_seconds=1)

    def dawdle(do: Callable[[], Result]) -> Result:
        time.sleep(1.1)
        return do()

    company.world.mishaps.extend([dawdle])
    run = company.run(proposes(("look_up", ORDER)), says("Too late."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert company.states(run) == [("succeeded", "ok")]
    assert len(company.asked()) == 1


def test_a_wait_that_outlasts_the_deadline_is_not_waited_for(company: Company) -> None:
    company.publish(max_seconds=2)
    run = company.run(reply({"error": {"message": "slow down"}}, 429, retry_after="200"), says("Hello."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")


def test_an_unknown_price_is_never_zero(company: Company) -> None:
    company.publish(price=False)
    run = company.run(says("Hello."))
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert company.facts(run, "budget.exhausted")[0]["limit"] == "price"
    assert company.asked() == []


# --- shared budgets ---------------------------------------------------------------------------------------


def committed(company: Company) -> tuple[int, int, Decimal]:
    window = BudgetWindow.objects.get()
    return window.committed_steps, window.committed_tokens, window.committed_usd


def test_a_run_returns_what_it_did_not_use(company: Company) -> None:
    company.add_reads()
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(10), max_steps=100, max_tokens=1_000_000)
    turns = [proposes(("look_up", {"order_id": f"A-{n}"})) for n in range(5)]
    run = company.run(*turns, says("Done."))
    assert run.state == "completed"
    assert committed(company) == (run.steps, run.tokens, run.usd)
    assert Escrow.objects.filter(settled_at=None).count() == 0
    assert len(company.facts(run, "budget.drawn")) < run.steps, "drawn in chunks"
    assert CALLS_AHEAD > 1


@pytest.mark.parametrize(
    ("limit", "place"),
    [({"max_steps": 2}, 0), ({"max_tokens": 14_000}, 1), ({"max_usd": Decimal("0.016")}, 2)],
)
def test_a_shared_budget_halts_the_run_that_it_is_used_up_for(
    company: Company, limit: dict[str, Any], place: int
) -> None:
    company.add_reads()
    BudgetFactory.create(team=company.cast.team, **{"max_usd": None, **limit})
    turns = [proposes(("look_up", {"order_id": f"A-{n}"}), **usage(2500, 500)) for n in range(12)]
    run = company.run(*turns)
    assert (run.state, run.status_reason) == ("halted", "budget_reached")
    assert run.steps > 1
    assert company.facts(run, "budget.exhausted")[0]["limit"].startswith("shared_")
    assert committed(company)[place] == (run.steps, run.tokens, run.usd)[place]


def test_a_budget_of_another_agent_or_team_does_not_bind(company: Company) -> None:
    BudgetFactory.create(team=company.cast.other_team, max_usd=Decimal("0.000001"))
    assert company.run(says("Hello.")).state == "completed"


def test_the_last_drawn_step_can_be_tried_again(company: Company) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=1)
    run = company.run(BUSY, says("Hello."))
    assert (run.state, committed(company)[0]) == ("completed", 1)


def test_a_message_that_arrives_during_a_draw_is_read(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawing folds the stream again: what people added meanwhile must not be taken for read."""
    BudgetFactory.create(team=company.cast.team, max_usd=None, max_steps=2)
    company.play(says("Hello."), says("Read it."))
    run = company.start()
    rewind = Session.rewind

    def add_and_rewind(session: Session) -> None:
        """The first draw, of a quarter of the run's steps, is more than there is."""
        monkeypatch.setattr(Session, "rewind", rewind)
        add_message(actor=company.cast.application.service_account, run=run, text="One more thing.")
        rewind(session)

    monkeypatch.setattr(Session, "rewind", add_and_rewind)
    run = company.drive(run)
    assert Session.rewind is rewind, "the draw was refused once"
    assert run.state == "completed"
    assert "One more thing." in str(company.asked()[-1]["messages"])
