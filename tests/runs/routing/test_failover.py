"""A model whose provider is down: another is asked at once, by every worker, within its own reservation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from agentops.engine import events as e
from agentops.engine.breaker import BreakerSettings
from agentops.engine.budgets import Rates
from runs import starting, turns
from runs.models import BudgetWindow, Run
from runs.routing import breakers, choosing
from runs.routing.providers import find_target
from runs.services import add_message
from runs.turns import planner_of
from tests.factories import BudgetFactory, PriceFactory
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Conversation, Provider, Turn, raw, reply
from tests.runs.routing.tiers import BIG, BUSY, DOWN, SMALL, SPARE, Models, passed_over, routes, set_up, trip
from tests.runs.test_driver import crash, drive_and_crash
from tools.breaker import breaker, connect_breaker

LOST = raw(b"")
PAIR = {"plan": [BIG, SMALL], "execute": [SMALL, SPARE]}
LOOK = proposes(("look_up", {"order_id": "A-1"}))
DONE = says("Done.")


def drive(company: Company, models: Models, *turns: Turn, **own: list[Turn]) -> Run:
    models.play(*turns, **own)
    return company.drive(company.start())


# --- the next in the list -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [DOWN, BUSY, LOST])
def test_another_model_is_asked_at_once(company: Company, fault: Turn) -> None:
    models = set_up(company, model_roles=PAIR)
    run = drive(company, models, DONE, big=[fault])
    assert (run.state, models.asked()) == ("completed", [BIG, SMALL])
    assert routes(company, run) == [(BIG, "plan", "first_call"), (SMALL, "plan", "first_call")]
    (failed,) = company.facts(run, e.MODEL_FAILED)
    assert (failed["delay_ms"], failed["requested_model"], failed["price_version"]) == (0, BIG, "big-1")
    (decided,) = company.facts(run, e.STEP_DECIDED)
    assert (decided["requested_model"], decided["price_version"]) == (SMALL, "small-1")


@pytest.mark.parametrize("fault", [reply({"error": {"message": "no"}}, 400), reply({}, 401)])
def test_who_refuses_is_not_down(company: Company, fault: Turn) -> None:
    models = set_up(company, model_roles=PAIR)
    run = drive(company, models, DONE, big=[fault])
    assert (run.state, run.status_reason, models.asked()) == ("failed", "planner_error", [BIG])


def test_three_attempts_are_made_in_all(company: Company) -> None:
    models = set_up(company, model_roles=PAIR)
    run = drive(company, models, DOWN)
    assert (run.state, run.status_reason, models.asked()) == ("failed", "planner_error", [BIG, SMALL, BIG])


def test_the_step_after_begins_with_the_first_choice(company: Company) -> None:
    models = set_up(company, model_roles={"plan": [BIG], "execute": [SMALL, SPARE]})
    more = proposes(("look_up", {"order_id": "A-2"}))
    run = drive(company, models, LOOK, small=[DOWN, DONE], spare=[more])
    assert (run.state, models.asked()) == ("completed", [BIG, SMALL, SPARE, SMALL])


# --- the breaker --------------------------------------------------------------------------------------------------


def check_skipping(company: Company) -> None:
    """What one run has found to be down no other asks."""
    models = set_up(company, model_roles=PAIR)
    for _ in range(breakers.breaker_settings().consecutive_failures):
        assert drive(company, models, DONE, big=[DOWN]).state == "completed"
    before = len(models.asked())
    run = drive(company, models, DONE, big=[DOWN])
    assert (run.state, models.asked()[before:]) == ("completed", [SMALL])
    assert passed_over(company, run) == [{BIG: "circuit_open"}]


def test_a_provider_that_is_down_is_skipped_at_once(company: Company) -> None:
    check_skipping(company)


@pytest.mark.parametrize("guard", ["_admit", "tell"])
def test_without_the_breaker_each_run_asks_it_anew(
    company: Company, guard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    if guard == "_admit":
        monkeypatch.setattr(choosing, "_admit", lambda *_: None)
    else:
        monkeypatch.setattr(breakers, "tell", lambda *_: None)
    with pytest.raises(AssertionError):
        check_skipping(company)


def test_a_provider_that_is_back_is_asked_again(company: Company) -> None:
    models = set_up(company, model_roles=PAIR)
    trip(BIG)
    target = find_target(BIG)
    breaker().reset(target.breaker_id)
    assert drive(company, models, DONE).state == "completed"
    assert models.asked() == [BIG]


def test_where_none_is_there_the_run_waits_and_then_fails(company: Company) -> None:
    models = set_up(company, model_roles=PAIR, max_seconds=3600)
    trip(BIG)
    trip(SMALL)
    run = drive(company, models, DONE)
    (failed,) = company.facts(run, e.MODEL_FAILED)
    assert (run.state, models.asked()) == ("in_progress", [])
    assert (failed["code"], failed["asked"], failed["usd"]) == ("planner_circuit_open", False, "0")
    assert 25_000 < failed["delay_ms"] <= 31_000
    assert passed_over(company, run, e.MODEL_FAILED) == [{BIG: "circuit_open", SMALL: "circuit_open"}]


def check_a_message_meanwhile(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the user say more between the look for a model, for the second time, and the note that none was there."""
    models = set_up(company, model_roles=PAIR, max_seconds=3600)
    trip(SMALL)

    def break_down(conversation: Conversation) -> None:
        trip(BIG)
        DOWN(conversation)

    models.play(break_down)
    run, note, said = company.start(), turns._note_all_open, [b"once"]

    def say_more(*given: Any) -> None:  # Any: as the function that it stands for
        note(*given)
        if said:
            said.pop()
            add_message(actor=company.cast.application.service_account, run=run, text="And hurry.")

    monkeypatch.setattr(turns, "_note_all_open", say_more)
    run = company.drive(run)
    *_, failed = company.facts(run, e.MODEL_FAILED)
    assert (run.state, failed.get("asked"), failed.get("role"), failed.get("why")) == (
        "in_progress",
        False,
        "plan",
        "message",
    )


def test_what_the_user_says_while_no_model_is_there_is_heard(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_a_message_meanwhile(company, monkeypatch)


def test_a_driver_that_kept_the_note_would_fail(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: the note would be that of a call which is due no more."""
    monkeypatch.setattr("runs.session.is_overtaken", lambda *_: False)
    company.expects_fault = company.is_mutant = True
    with pytest.raises(AssertionError):
        check_a_message_meanwhile(company, monkeypatch)


def test_a_wait_that_outlasts_the_run_is_not_waited_for(company: Company) -> None:
    models = set_up(company, model_roles=PAIR, max_seconds=2)
    trip(BIG)
    trip(SMALL)
    run = drive(company, models, DONE)
    assert (run.state, run.status_reason, run.steps) == ("halted", "budget_reached", 0)


def test_an_admission_that_is_not_used_is_given_back(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one probe of a half-open breaker must not go to a call that is not made."""
    given: list[str] = []
    monkeypatch.setattr(breakers, "give_back", lambda target, _: given.append(target.name))
    PriceFactory.create(model="gold", input_usd_per_mtok=10**6, output_usd_per_mtok=10**6)
    models = set_up(company, model_roles={"plan": ["gold", SMALL]})
    run = drive(company, models, DONE)
    assert (run.state, given) == ("completed", ["gold"])
    assert passed_over(company, run) == [{"gold": "too_dear"}]


def check_the_probe_is_kept(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run was let through for, and could not write down, is left to the next one."""
    models = set_up(company, model_roles={"plan": [BIG]})
    rules = BreakerSettings(consecutive_failures=1, open_s=0.012, probe_lease_s=600)
    monkeypatch.setattr(breakers, "breaker_settings", lambda: rules)
    breaker().record(find_target(BIG).breaker_id, rules, False)
    time.sleep(0.05)  # by now one call may try it
    company.expects_fault = True
    models.play(DONE)
    run = company.start()
    with monkeypatch.context() as patch:
        patch.setattr(turns, "_note_request", fail)
        company.drive(run)
    assert (company.drive(run).state, models.asked()) == ("completed", [BIG])


def fail(*_: object) -> None:
    raise RuntimeError("a fault of ours")


def test_a_fault_before_the_call_gives_the_probe_back(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_the_probe_is_kept(company, monkeypatch)


def test_a_probe_that_is_not_given_back_keeps_everybody_out(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    monkeypatch.setattr(breakers, "give_back", lambda *_: None)
    with pytest.raises(AssertionError):
        check_the_probe_is_kept(company, monkeypatch)


def test_another_worker_knows_what_one_has_found(company: Company, settings: Settings) -> None:
    trip(BIG)
    elsewhere = connect_breaker(settings.REDIS_URL, settings.REDIS_PREFIX)
    admission = elsewhere.admit(find_target(BIG).breaker_id, breakers.breaker_settings())
    assert (admission.allowed, admission.state, admission.local) == (False, "open", False)


# --- runs of the release before -----------------------------------------------------------------------------------


def test_a_run_that_began_under_the_engine_before_goes_on_with_its_one_model(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = set_up(company, model_roles={"plan": [BIG], "execute": [SPARE]})
    trip(company.model)
    models.play(LOOK, DONE)
    with monkeypatch.context() as patch:
        patch.setattr(starting, "ENGINE_VERSION", 11)
        patch.setattr(starting, "_routing", lambda _: {})
        run = company.start()
    run = company.drive(run)
    assert (run.state, models.asked()) == ("completed", [company.model] * 2)
    asked = company.facts(run, e.MODEL_REQUESTED)
    assert not any({"role", "why", "provider", "passed_over"} & facts.keys() for facts in asked)


# --- money --------------------------------------------------------------------------------------------------------


def check_dear_fallback(company: Company) -> None:
    """A fallback that costs ten times as much is reserved for at what it costs, or not asked."""
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal("0.2"))
    models = set_up(company, model_roles={"plan": [SMALL, BIG]}, max_usd=Decimal("0.1"))
    run = drive(company, models, DONE, small=[LOST], big=[reply(b"<html>")])
    window = BudgetWindow.objects.get()
    asked = company.facts(run, e.MODEL_REQUESTED)
    assert [facts["model"] for facts in asked][:2] == [SMALL, BIG]
    rates = {SMALL: (1, 4), BIG: (10, 40)}
    for facts in asked:
        into, out = rates[facts["model"]]
        prompt = facts["reserved_tokens"] - facts["max_completion_tokens"]
        worst = Decimal(prompt * into + facts["max_completion_tokens"] * out) / 1_000_000
        assert Decimal(facts["reserved_usd"]) >= worst
    assert run.usd <= Decimal("0.1")
    assert window.committed_usd == run.usd <= Decimal("0.2")


def test_a_dearer_fallback_has_a_reservation_of_its_own(company: Company) -> None:
    check_dear_fallback(company)


def test_reserved_for_at_the_first_choices_price_it_overspends(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.is_mutant = True
    cheap = Rates(Decimal(1), Decimal(4))
    monkeypatch.setattr(choosing, "dearest_rates", lambda _: cheap)
    with pytest.raises(AssertionError):
        check_dear_fallback(company)


def test_a_fallback_that_the_run_cannot_afford_is_not_asked(company: Company) -> None:
    models = set_up(company, model_roles={"plan": [SMALL, BIG]}, max_usd=Decimal("0.02"))
    run = drive(company, models, DOWN)
    assert set(models.asked()) == {SMALL}
    assert {BIG: "too_dear"} in passed_over(company, run)
    assert (run.state, run.status_reason) == ("failed", "planner_error")


def test_a_model_that_asks_for_time_gets_it_where_no_other_is_affordable(company: Company) -> None:
    models = set_up(company, model_roles={"plan": [SMALL, BIG]}, max_usd=Decimal("0.02"))
    run = drive(company, models, BUSY)
    assert ([facts["delay_ms"] for facts in company.facts(run, e.MODEL_FAILED)], models.asked()) == (
        [200_000],
        [SMALL],
    )


def test_where_none_is_affordable_the_run_halts(company: Company) -> None:
    models = set_up(company, model_roles=PAIR, max_usd=Decimal("0.0001"))
    run = drive(company, models, DONE)
    assert (run.status_reason, models.asked()) == ("budget_reached", [])
    assert company.facts(run, e.BUDGET_EXHAUSTED)[0]["limit"] == "usd"


def test_a_model_that_nobody_has_priced_is_passed_over(company: Company) -> None:
    models = set_up(company, model_roles={"plan": ["unpriced", SMALL]})
    run = drive(company, models, DONE)
    assert models.asked() == [SMALL]
    assert passed_over(company, run) == [{"unpriced": "no_price"}]


def test_a_fallback_whose_answer_died_with_its_driver_is_paid_at_its_own_price(company: Company) -> None:
    models = set_up(company, model_roles={"plan": [SMALL, BIG]})
    models.play(DONE, small=[DOWN])
    run = company.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns, "_note_decision", crash)
        drive_and_crash(company, run)
    run = company.drive(run)
    down, lost = company.facts(run, e.MODEL_FAILED)
    asked = company.facts(run, e.MODEL_REQUESTED)
    assert (run.state, models.asked()) == ("completed", [SMALL, BIG, BIG])
    assert (down["usd"], lost["code"], lost["usd"]) == ("0", "lost", asked[1]["reserved_usd"])
    assert Decimal(asked[1]["reserved_usd"]) > 5 * Decimal(asked[0]["reserved_usd"])


# --- several providers --------------------------------------------------------------------------------------------


@pytest.fixture
def backup(settings: Settings) -> Iterator[Provider]:
    """Provide a second provider with a key of its own."""
    provider = Provider()
    settings.MODEL_PROVIDERS = {"backup": provider.base_url}
    settings.MODEL_PROVIDER_KEYS = {"backup": "sk-backup"}
    yield provider
    planner_of.cache_clear()
    provider.close()


def test_the_same_model_of_another_provider_takes_over(company: Company, backup: Provider) -> None:
    PriceFactory.create(model="backup/big", version="backup-1", input_usd_per_mtok=20, output_usd_per_mtok=50)
    models = set_up(company, model_roles={"plan": [BIG, "backup/big"]})
    backup.play(DONE)
    run = drive(company, models, DOWN)
    assert run.state == "completed"
    (received,) = backup.received
    assert (received.body["model"], received.headers["authorization"]) == ("big", "Bearer sk-backup")
    assert {each.headers["authorization"] for each in company.provider.received} == {"Bearer sk-test"}
    asked = company.facts(run, e.MODEL_REQUESTED)
    assert [(facts["provider"], facts["model"]) for facts in asked] == [
        ("default", BIG),
        ("backup", "backup/big"),
    ]
    assert company.facts(run, e.STEP_DECIDED)[0]["usd"] == "0.003", "at the price of this provider"


def test_a_name_with_a_stroke_is_the_default_providers_own(company: Company, backup: Provider) -> None:
    PriceFactory.create(model="openai/gpt")
    models = set_up(company, model_roles={"plan": ["openai/gpt"]})
    run = drive(company, models, DONE)
    assert (run.state, models.asked(), backup.received) == ("completed", ["openai/gpt"], [])


def test_breakers_are_of_a_model_of_a_provider(company: Company, backup: Provider) -> None:
    assert find_target("backup/big").breaker_id != find_target("big").breaker_id
    assert find_target("big").breaker_id != find_target("small").breaker_id
    assert find_target("big").breaker_id == find_target("big").breaker_id
