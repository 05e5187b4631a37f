"""Which of its models a version's calls go to: the dear one for plans, the small one, and when that changes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agentops.engine import events as e
from agentops.engine import tiers
from runs.models import Step
from runs.routing import choosing
from runs.services import add_message, answer_input
from tests.api.caller import caller_of
from tests.runs.company import Company, proposes, says
from tests.runs.deeds import meanwhile, refuse
from tests.runs.planner.provider import Turn
from tests.runs.routing.tiers import BIG, SMALL, SPARE, routes, set_up
from tests.runs.test_turns import usage

FIRST = (BIG, "plan", "first_call")
NEXT = (SMALL, "execute", "next_step")


def look(number: int) -> Turn:
    return proposes(("look_up", {"order_id": f"A-{number}"}))


def mistake(number: int) -> Turn:
    return proposes(("look_up", {"wrong": number}))


def test_the_dear_model_plans_and_the_small_one_carries_out(company: Company) -> None:
    models = set_up(company)
    models.play(look(1), look(2), says("Done."))
    run = company.drive(company.start())
    assert (run.state, models.asked()) == ("completed", [BIG, SMALL, SMALL])
    assert routes(company, run) == [FIRST, NEXT, NEXT]
    rows = Step.objects.filter(run=run).order_by("number").values_list("model", "price_version", "usd")
    assert list(rows) == [
        (BIG, "big-1", Decimal("0.0018")),
        (SMALL, "small-1", Decimal("0.00018")),
        (SMALL, "small-1", Decimal("0.00018")),
    ], "each at its own price: 100 tokens in and 20 out"


def test_a_version_without_roles_has_one_model(company: Company) -> None:
    company.add_reads()
    run = company.run(mistake(1), mistake(2), mistake(3), says("Done."))
    assert [model for model, *_ in routes(company, run)] == [company.model] * 4
    assert [why for *_, why in routes(company, run)] == ["first_call", *["next_step"] * 3]


def test_what_the_user_adds_is_planned_for(company: Company) -> None:
    models = set_up(company)
    models.play(look(1), look(2), says("Done."))
    run = company.start()
    account = company.cast.application.service_account
    company.world.mishaps.extend([meanwhile(lambda: add_message(actor=account, run=run, text="And A-2."))])
    company.drive(run)
    assert routes(company, run) == [FIRST, (BIG, "plan", "message"), NEXT]


def test_what_the_user_answers_is_planned_for(company: Company) -> None:
    models = set_up(company)
    models.play(proposes(("ask_user", {"question": "Which order?"})), says("Done."))
    run = company.drive(company.start())
    answer_input(actor=company.cast.application.service_account, run=run, text="A-1.")
    company.drive(run)
    assert routes(company, run) == [FIRST, (BIG, "plan", "message")]


def test_repeated_mistakes_are_the_dear_models_to_mend(company: Company) -> None:
    models = set_up(company)
    models.play(look(1), mistake(1), mistake(2), look(2), says("Done."))
    run = company.drive(company.start())
    assert routes(company, run) == [FIRST, NEXT, NEXT, (BIG, "plan", "invalid_arguments"), NEXT]


def test_steps_that_fail_again_and_again_are_the_dear_models_to_mend(company: Company) -> None:
    models = set_up(company, escalate_failed=2)
    models.play(look(1), look(2), look(3), says("Done."))
    company.world.mishaps.extend([lambda do: do(), refuse, refuse])
    run = company.drive(company.start())
    assert company.states(run) == [
        ("succeeded", "ok"),
        ("failed", "not_refundable"),
        ("failed", "not_refundable"),
    ]
    assert routes(company, run) == [FIRST, NEXT, NEXT, (BIG, "plan", "failed_steps")]


def test_a_threshold_of_zero_never_escalates(company: Company) -> None:
    models = set_up(company, escalate_invalid=0, repeat_limit=24)
    models.play(look(1), *(mistake(number) for number in range(5)), says("Done."))
    run = company.drive(company.start())
    assert routes(company, run) == [FIRST, *[NEXT] * 6]


def check_demotion(company: Company) -> None:
    """A run with little left goes to the cheapest of the role, wherever that stands in the list."""
    models = set_up(
        company,
        model_roles={"plan": [BIG], "execute": [SPARE, SMALL]},
        max_tokens=20_000,
        demote_percent=50,
    )
    models.play(look(1), proposes(("look_up", {"order_id": "A-2"}), **usage(10_000, 100)), says("Done."))
    run = company.drive(company.start())
    assert [model for model, *_ in routes(company, run)] == [BIG, SPARE, SMALL]
    assert [facts.get("low", False) for facts in company.facts(run, e.MODEL_REQUESTED)] == [
        False,
        False,
        True,
    ]


def test_with_little_left_the_cheapest_is_asked(company: Company) -> None:
    check_demotion(company)


def test_without_demotion_the_dear_one_is_asked_to_the_end(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    monkeypatch.setattr(choosing, "is_low", lambda _: False)
    monkeypatch.setattr(tiers, "is_low", lambda _: False)
    with pytest.raises(AssertionError):
        check_demotion(company)


def test_the_trace_says_why_each_call_went_where(company: Company) -> None:
    models = set_up(company)
    models.play(look(1), mistake(1), mistake(2), says("Done."))
    run = company.drive(company.start())
    caller = caller_of(company.cast, company.cast.application.service_account)
    trace = caller.get(f"/runs/{run.pk}/trace?limit=100").body["data"]
    titles = [item["title"] for item in trace if item["kind"] == e.MODEL_REQUESTED]
    assert titles == [
        "Step 1: big is asked, to plan: the run begins",
        "Step 2: small is asked, to carry out: the next step",
        "Step 3: small is asked, to carry out: the next step",
        "Step 4: big is asked, to plan: calls that nobody could make came again and again",
    ]
