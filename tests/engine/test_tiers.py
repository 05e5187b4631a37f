"""Which role a call has, and which of its models is asked: what holds in every history, and one rule at a time."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.engine import ENGINE_VERSION, tiers
from agentops.engine import events as e
from agentops.engine.events import Event
from agentops.engine.fold import UnfoldableEvent, fold, fold_all
from agentops.engine.routing import Routing
from agentops.engine.state import CallState, CallStatus, Limits, RunState, Spent
from agentops.engine.tiers import DOWN, Offer, choose_role, count_trouble, is_low, rank_models
from tests.engine.histories import Written, decided, history, requested
from tests.engine.simulation import Simulation, ended_runs
from tests.engine.world import MODELS, START
from tests.rewriting import rewrite

RULES = {"escalate_invalid": 2, "escalate_failed": 3, "demote_percent": 20}
ROOMY = RunState(Limits(12, 1_000, Decimal(2), 90), START + timedelta(hours=1), engine=ENGINE_VERSION)
names = st.sampled_from(["a", "b", "c", "d"])
offers = st.lists(
    st.builds(Offer, names, st.decimals(0, 10, places=3)), min_size=1, max_size=4, unique_by=lambda o: o.model
)


def call(status: CallStatus, code: str = "") -> CallState:
    return CallState(1, "refund", "d", status=status, code=code)


def after(calls: list[CallState], routing: Routing) -> RunState:
    return ROOMY._replace(calls=tuple(calls), routing=routing, step=3, phase="calling")


# --- the role -----------------------------------------------------------------------------------------------------

OK, WRONG, FAILED = call("succeeded", "ok"), call("refused", "invalid_arguments"), call("failed", "gone")
GOING = Routing(2, 3, 20, due="", role="execute", why="next_step")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (ROOMY, ("plan", "first_call")),
        (after([OK], GOING), ("execute", "next_step")),
        (after([OK], GOING._replace(due="message")), ("plan", "message")),
        (after([WRONG], GOING), ("execute", "next_step")),
        (after([WRONG], GOING._replace(invalid=1)), ("plan", "invalid_arguments")),
        (after([WRONG, OK], GOING._replace(invalid=1)), ("plan", "invalid_arguments")),
        (after([OK], GOING._replace(invalid=1)), ("execute", "next_step")),
        (after([FAILED], GOING._replace(failed=1)), ("execute", "next_step")),
        (after([FAILED], GOING._replace(failed=2)), ("plan", "failed_steps")),
        # What another call of the step has achieved is no failed step.
        (after([FAILED, OK], GOING._replace(failed=2)), ("execute", "next_step")),
        # What policy or people refuse is nothing that another model would do better.
        (after([call("refused", "denied")], GOING._replace(invalid=1, failed=2)), ("execute", "next_step")),
        # Zero turns it off.
        (after([WRONG], GOING._replace(invalid=9, escalate_invalid=0)), ("execute", "next_step")),
        (after([FAILED], GOING._replace(failed=9, escalate_failed=0)), ("execute", "next_step")),
        # Asked again for the same step, a call keeps its role.
        (
            ROOMY._replace(
                routing=GOING._replace(role="plan", why="failed_steps"), model_code="busy", model_attempt=1
            ),
            ("plan", "failed_steps"),
        ),
    ],
)
def test_the_role(state: RunState, expected: tuple[str, str]) -> None:
    assert choose_role(state) == expected


@pytest.mark.parametrize("code", sorted(tiers._INVALID))
def test_what_counts_as_a_mistake(code: str) -> None:
    assert count_trouble(after([call("refused", code)], GOING)) == (1, 0)


@pytest.mark.parametrize(
    ("spent", "percent", "low"),
    [
        (Spent(), 20, False),
        (Spent(0, 800), 20, False),
        (Spent(0, 801), 20, True),
        (Spent(0, 0, Decimal("1.6")), 20, False),
        (Spent(0, 0, Decimal("1.60000001")), 20, True),
        (Spent(0, 1_000, Decimal(2)), 0, False),
    ],
)
def test_what_is_little(spent: Spent, percent: int, low: bool) -> None:
    routing = GOING._replace(demote_percent=percent)
    assert is_low(ROOMY._replace(spent=spent, routing=routing)) is low


# --- the order ----------------------------------------------------------------------------------------------------


@given(offers, st.lists(names), st.booleans())
def test_each_model_is_ranked_once(given_offers: list[Offer], tried: list[str], low: bool) -> None:
    ranked = rank_models(given_offers, tried, low=low)
    assert sorted(ranked) == sorted(offer.model for offer in given_offers)


@given(offers, st.lists(names), st.booleans())
def test_who_has_failed_comes_last(given_offers: list[Offer], tried: list[str], low: bool) -> None:
    failed = [model in tried for model in rank_models(given_offers, tried, low=low)]
    assert failed == sorted(failed)


@given(offers)
def test_with_enough_left_the_versions_order_holds(given_offers: list[Offer]) -> None:
    assert rank_models(given_offers, (), low=False) == [offer.model for offer in given_offers]


@given(offers)
def test_with_little_left_the_cheapest_comes_first(given_offers: list[Offer]) -> None:
    costs = {offer.model: offer.usd for offer in given_offers}
    ranked = rank_models(given_offers, (), low=True)
    assert [costs[model] for model in ranked] == sorted(costs.values())


# --- histories ----------------------------------------------------------------------------------------------------


@given(ended_runs)
def test_every_call_has_the_role_that_the_stream_before_it_says(run: Simulation) -> None:
    state = None
    for event in run.events:
        facts = event.facts
        if state is not None and "role" in facts:
            assert (facts["role"], facts["why"]) == choose_role(state)
            assert facts.get("low", False) == is_low(state)
            assert facts.get("model", MODELS[facts["role"]][0]) in MODELS[facts["role"]]
        state = fold(state, event)


@given(ended_runs)
def test_trouble_alone_leads_to_another_role_than_usual(run: Simulation) -> None:
    if run.world.escalates == 0:
        whys = {event.facts.get("why") for event in run.events}
        assert not whys & {"invalid_arguments", "failed_steps"}
    if run.world.demote_percent == 0:
        assert not any(event.facts.get("low") for event in run.events)


@given(ended_runs)
def test_no_run_spends_more_than_its_limits_whichever_model_is_asked(run: Simulation) -> None:
    state = fold_all(run.events)
    assert state.used.usd <= state.limits.usd
    assert state.used.tokens <= state.limits.tokens


def asked(step: int, role: str, why: str, **more: Any) -> Written:  # Any: JSON
    kind, facts = requested(step)
    return kind, {**facts, "role": role, "why": why, "model": "m", **more}


def failed(code: str, model: str, *, attempt: int = 1) -> Written:
    where = {"step": 1, "attempt": attempt, "code": code, "requested_model": model}
    return e.MODEL_FAILED, {**where, "retryable": True, "delay_ms": 0, "tokens": 0, "usd": "0"}


def routed(*written: Written) -> list[Event]:
    return history(*written, engine=ENGINE_VERSION, routing=RULES)


@pytest.mark.parametrize(
    "written",
    [
        asked(1, "execute", "next_step"),
        asked(1, "plan", "message"),
        asked(1, "plan", "first_call", low=True),
    ],
)
def test_a_call_with_another_role_is_none_of_this_run(written: Written) -> None:
    with pytest.raises(UnfoldableEvent, match="another call is due"):
        fold_all(routed(written))


@pytest.mark.parametrize("code", sorted(DOWN))
def test_a_model_that_is_down_is_remembered_for_its_step(code: str) -> None:
    first = asked(1, "plan", "first_call")
    state = fold_all(routed(first, failed(code, "m")))
    assert state.routing.tried == ("m",)
    again = (e.MODEL_REQUESTED, {**first[1], "attempt": 2})
    assert fold_all(routed(first, failed(code, "m"), again)).routing.tried == ("m",)
    assert fold_all(routed(first, failed(code, "m"), again, decided(1))).routing.tried == ()


@pytest.mark.parametrize("code", ["planner_invalid_answer", "empty_answer", "planner_rejected", "lost"])
def test_a_model_that_answers_nonsense_is_asked_again(code: str) -> None:
    state = fold_all(routed(asked(1, "plan", "first_call"), failed(code, "m")))
    assert state.routing.tried == ()


def test_where_no_model_is_there_nothing_is_spent_and_the_attempt_counts() -> None:
    none = {"step": 1, "attempt": 1, "code": "planner_circuit_open", "asked": False, "retryable": True}
    free = {"delay_ms": 100, "tokens": 0, "usd": "0", "role": "plan", "why": "first_call"}
    state = fold_all(routed((e.MODEL_FAILED, {**none, **free})))
    assert (state.phase, state.step, state.model_attempt, state.spent.steps) == ("ready", 1, 1, 0)
    assert state.asks_again
    assert choose_role(state) == ("plan", "first_call")
    with pytest.raises(UnfoldableEvent, match="may not be asked now"):
        fold_all(routed(asked(1, "plan", "first_call"), (e.MODEL_FAILED, {**none, **free, "attempt": 2})))


def test_a_plan_that_the_planner_has_declared_is_carried_out_by_who_plans() -> None:
    declares = {"call": 1, "tool": e.DECLARE_PLAN, "args_digest": "d", "problem": None}
    decides = (e.STEP_DECIDED, {**decided(1)[1], "calls": [declares]})
    frozen = (e.PLAN_FROZEN, {"step": 1, "call": 1, "tools": [], "until": 1, "by": "planner", "size": 9})
    first = asked(1, "plan", "first_call")
    state = fold_all(routed(first, decides, frozen))
    assert choose_role(state) == ("plan", "plan_changed")
    by_words = (e.PLAN_FROZEN, {"tools": [], "until": 1, "by": "words"})
    assert choose_role(fold_all(routed(by_words))) == ("plan", "first_call")


@pytest.mark.parametrize("kind", [e.INPUT_RECEIVED, e.HANDOVER_ANSWERED])
def test_what_people_answer_is_planned_for(kind: str) -> None:
    told = (kind, {"step": 1, "call": 1, "size": 3})
    asks = (e.CALL_ASKED, {"step": 1, "call": 1, "action": "input"})
    state = fold_all(routed(asked(1, "plan", "first_call"), decided(1, tool="ask_user"), asks, told))
    assert choose_role(state) == ("plan", "message")


# --- one rule less ------------------------------------------------------------------------------------------------

MUTANTS: dict[str, tuple[ModuleType, str, str, str]] = {
    "nothing is planned for": (tiers, "choose_role", "if routing.due:", "if False:"),
    "mistakes lead nowhere": (tiers, "choose_role", "0 < routing.escalate_invalid <= invalid", "False"),
    "failures lead nowhere": (tiers, "choose_role", "0 < routing.escalate_failed <= failed", "False"),
    "zero escalates": (
        tiers,
        "choose_role",
        "0 < routing.escalate_invalid <= invalid",
        "routing.escalate_invalid <= invalid",
    ),
    "success does not end trouble": (
        tiers,
        "count_trouble",
        "routing.invalid + 1 if invalid else 0",
        "routing.invalid + 1",
    ),
    "a half failed step counts": (tiers, "count_trouble", ' and "succeeded" not in statuses', ""),
    "refusals count": (tiers, "_is_invalid", " and call.code in _INVALID", ""),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_rule_that_is_taken_out_is_missed(
    mutant: tuple[ModuleType, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = next(m for m in test_the_role.pytestmark if m.name == "parametrize").args[1]  # type: ignore[attr-defined]  # pytest's own
    rewrite(monkeypatch, *mutant)
    assert any(tiers.choose_role(state) != expected for state, expected in cases)
