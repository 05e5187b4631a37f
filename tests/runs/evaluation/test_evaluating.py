"""Evaluations, really driven: cases whose tools answer as they say, what came of them, and that nothing happened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from agentops.engine import events as e
from agentops.engine.commands import CallTools
from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from approvals.models import ApprovalRequest, Notice
from runs import driver, services, starting
from runs.evaluation import calls as case_calls
from runs.evaluation import evaluating
from runs.evaluation.evaluating import MOST_REPEATS, Trial, carry_on, evaluate, stop_evaluation
from runs.evaluation.sets import SetSpec, save_set
from runs.models import Budget, BudgetWindow, Count, CountMark, Evaluation, Run, SpanExport
from runs.replays.services import replay_run
from runs.services import add_message
from tests.approvals.notices.conftest import make_channel
from tests.rewriting import rewrite, rewrite_appends
from tests.runs.company import Company, proposes, says
from tests.runs.evaluation.trying import (
    ANSWERS,
    LOOKS,
    ORDER,
    PAYS,
    B,
    begin,
    carry_through,
    case,
    draft,
    keep_set,
    only,
    starter,
    tried,
)
from tools.models import CapUsage, EffectRecord

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]


def test_a_case_passes_by_its_checks_and_nothing_happens(refunds: Company) -> None:
    made = tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS)
    result = only(made)
    assert (made.state, result.passed, result.why) == ("finished", True, "")
    assert result.checks == [
        {
            "passed": True,
            "said": "refund with /order_id 'A-1' is carried out exactly once; it was carried out once",
        }
    ]
    assert (result.steps, result.approvals, result.denials, result.tool_errors, result.misses) == (
        3,
        0,
        0,
        0,
        0,
    )
    assert result.tokens > 0
    assert result.usd > 0
    assert refunds.world.attempts == []
    assert refunds.observations()[0] == ORDER
    run = result.run
    assert run is not None
    assert (run.kind, run.state, run.principal.issuer) == ("case", "completed", "evaluation")
    assert not EffectRecord.objects.filter(stream_id=run.pk).exists()
    assert not {e.ATTEMPT_STARTED} & set(refunds.kinds(run))
    assert {row.tool_version_id for row in refunds.calls(run)} == {None}


def test_a_case_fails_with_the_check_that_failed(refunds: Company) -> None:
    result = only(tried(refunds, keep_set(refunds), LOOKS, ANSWERS))
    assert (result.passed, result.why) == (False, "")
    assert [check["passed"] for check in result.checks] == [False]


def test_a_call_that_the_case_does_not_know_fails_it_whatever_its_checks_say(refunds: Company) -> None:
    turns = LOOKS, PAYS, proposes(("look_up", B)), ANSWERS
    result = only(tried(refunds, keep_set(refunds), *turns))
    assert [check["passed"] for check in result.checks] == [True]
    assert (result.passed, result.misses) == (False, 1)
    assert result.why.startswith("in step 3 it called look_up in a way for which the case has no outcome")
    assert refunds.observations()[-1]["error"] == "not_scripted"
    assert refunds.world.attempts == []


def test_without_the_guard_a_tool_would_have_been_called(
    refunds: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mutant: what answers the calls of a case lets them go out instead."""
    monkeypatch.setattr(case_calls, "answer_calls", lambda session, case, numbers: list(numbers))
    refunds.is_mutant = True
    tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS)
    assert refunds.world.attempts == ["look_up", "refund"]


def test_without_the_driver_s_own_turn_a_tool_would_have_been_called(
    refunds: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another: the driver makes the calls of a case as those of any other run."""
    effect = rewrite(monkeypatch, driver, "_call_tools", "elif session.case is not None:", "elif False:")
    monkeypatch.setitem(driver._EFFECTS, CallTools, effect)
    refunds.is_mutant = True
    tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS)
    assert refunds.world.attempts == ["look_up", "refund"]


def test_outcomes_are_used_in_their_order_and_as_often_as_they_say(refunds: Company) -> None:
    outcomes: list[dict[str, Any]] = [
        {"call": "look_up", "error": "shop_down", "detail": "try again", "times": 1},
        {"call": "look_up", "answer": ORDER},
        {"call": "refund", "answer": None},
    ]
    turns = LOOKS, LOOKS, PAYS, ANSWERS
    made = tried(refunds, keep_set(refunds, case(outcomes=outcomes)), *turns)
    assert (only(made).passed, only(made).tool_errors) == (True, 1)
    assert refunds.observations()[0]["error"] == "shop_down"
    assert refunds.observations()[1] == ORDER


@pytest.mark.parametrize(
    ("people", "state", "passed"), [("approve", "succeeded", True), ("deny", "refused", False)]
)
def test_whom_a_call_would_have_waited_for_is_counted_and_the_case_says_what_they_say(
    company: Company, people: str, state: str, passed: bool
) -> None:
    company.add_reads()
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.publish()
    result = only(tried(company, keep_set(company, case(people=people)), LOOKS, PAYS, ANSWERS))
    assert (result.approvals, result.passed) == (1, passed)
    assert result.run is not None
    paid = company.calls(result.run)[-1]
    assert (paid.state, paid.decision) == (state, "REQUIRE_APPROVAL")
    assert not ApprovalRequest.objects.exists()


def test_an_outcome_may_say_otherwise_than_its_case(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.publish()
    outcomes = [{"call": "look_up", "answer": ORDER}, {"call": "refund", "answer": None, "people": "deny"}]
    result = only(tried(company, keep_set(company, case(outcomes=outcomes)), LOOKS, PAYS, ANSWERS))
    assert (result.approvals, result.denials) == (1, 1)


def test_policy_denies_as_ever(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund", grant="DENY")
    company.publish()
    result = only(tried(company, keep_set(company), LOOKS, PAYS, ANSWERS))
    assert (result.denials, result.misses, result.passed) == (1, 0, False)
    assert company.observations()[-1]["error"] == "denied_by_grant"


def test_caps_are_not_used_up(company: Company) -> None:
    company.add_reads()
    company.add_tool("refund", grant="ALLOW_WITH_CAPS", grant_caps=[{"per": "day", "count": 1}])
    company.publish()
    assert only(tried(company, keep_set(company), LOOKS, PAYS, ANSWERS)).passed
    assert not CapUsage.objects.exists()
    assert only(tried(company, keep_set(company), LOOKS, PAYS, ANSWERS)).passed


def test_the_user_answers_as_the_case_says_and_nobody_takes_over(company: Company) -> None:
    company.add_reads()
    company.publish(may_ask_user=True, may_hand_over=True)
    row = keep_set(
        company,
        case(
            outcomes=[{"call": "ask_user", "answer": "The blue one."}],
            checks=[{"answer": {"contains": ["well"]}}],
        ),
    )
    turns = (
        proposes(("ask_user", {"question": "Which?"})),
        proposes(("hand_over", {"reason": "I cannot."})),
        says("Well."),
    )
    result = only(tried(company, row, *turns))
    assert (result.passed, result.approvals, result.misses) == (True, 1, 0)
    assert "The blue one." in str(company.asked()[1]["messages"])
    assert result.run is not None
    assert result.run.required_actions == []


def test_a_question_that_the_case_does_not_know_is_a_miss(company: Company) -> None:
    company.add_reads()
    company.publish(may_ask_user=True)
    row = keep_set(company, case(checks=[{"answer": {}}]))
    result = only(tried(company, row, proposes(("ask_user", {"question": "Which?"})), says("Well.")))
    assert (result.passed, result.misses) == (False, 1)


def test_what_did_not_come_to_its_end_does_not_pass_unless_a_check_says_so(company: Company) -> None:
    company.add_reads()
    company.publish(max_steps=2)
    nothing = [{"called": "look_up", "times": {"at_most": 9}}]
    short, meant = case("short", checks=nothing), case("meant", checks=[*nothing, {"ended": ["halted"]}])
    made = tried(company, keep_set(company, short, meant), proposes(("look_up", {"order_id": "A-1"})))
    told = {each.case: (each.passed, each.why) for each in made.results.all()}
    assert told == {
        "short": (False, "it ended as halted, and no check says that it may"),
        "meant": (True, ""),
    }


def test_a_type_of_task_brings_its_checks_and_is_asked_of_the_version(refunds: Company) -> None:
    task = {"name": "greet", "fulfilled_when": [{"answer": {"contains": ["hello"]}}]}
    row = keep_set(refunds, case(task="greet"))
    result = only(tried(refunds, row, LOOKS, PAYS, ANSWERS, version=draft(refunds, tasks=[task])))
    assert [check["passed"] for check in result.checks] == [True, False]
    assert result.run is not None
    assert result.run.task == ""  # so that it is none of the agent's work of that type
    other = case(task="other")
    assert only(tried(refunds, keep_set(refunds, other), LOOKS, PAYS, ANSWERS)).why == (
        "the version declares no type of task other"
    )


def test_each_case_is_run_as_often_as_was_asked_and_every_repetition_counts(refunds: Company) -> None:
    made = begin(refunds, keep_set(refunds, case("one"), case("two")), repeat=2)
    refunds.play(LOOKS, PAYS, ANSWERS, LOOKS, ANSWERS, LOOKS, PAYS, ANSWERS, LOOKS, PAYS, ANSWERS)
    carry_through(refunds, made)
    results = made.results.all()
    assert [(each.case, each.repetition) for each in results] == [
        ("one", 1),
        ("one", 2),
        ("two", 1),
        ("two", 2),
    ]
    assert sum(bool(each.passed) for each in results) == 3


def test_the_same_model_gives_the_same_results(refunds: Company) -> None:
    row = keep_set(refunds)
    taken = [
        (each.passed, each.checks, each.steps, each.tokens, each.usd)
        for each in (only(tried(refunds, row, LOOKS, PAYS, ANSWERS)) for _ in range(2))
    ]
    assert taken[0] == taken[1]


def test_it_never_costs_more_than_was_allowed_and_says_where_it_stopped(refunds: Company) -> None:
    """What a run may cost is counted of it while it goes, so that with room for one they go one by one."""
    made = begin(refunds, keep_set(refunds, case("one"), case("two")), max_usd=Decimal(2))
    refunds.play(LOOKS, PAYS, ANSWERS)
    carry_on()
    assert Run.objects.filter(kind="case").count() == 1
    carry_through(refunds, made)
    assert (made.state, made.why_stopped) == ("stopped", "budget_used_up")
    assert [each.passed for each in made.results.all()] == [True, None]


def test_it_is_paid_for_out_of_the_shared_budget(refunds: Company) -> None:
    budget = Budget.objects.create(team=refunds.cast.team, window="day", max_usd=Decimal(50))
    result = only(tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS))
    assert BudgetWindow.objects.get(budget=budget).committed_usd == result.usd


@pytest.fixture
def watched(settings: Settings) -> None:
    """Let somebody ask for metrics, and collect spans."""
    settings.METRICS_TOKEN, settings.OTEL_EXPORTER_OTLP_ENDPOINT = "m" * 32, "http://127.0.0.1:9"


def test_what_is_tried_counts_in_nothing_and_is_told_to_nobody(refunds: Company, watched: None) -> None:
    make_channel(refunds.cast, "https://hooks.example/told", name="told", kinds=["run.ended"])
    result = only(tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS))
    assert result.run is not None
    assert not Notice.objects.exists()
    assert not SpanExport.objects.filter(run=result.run).exists()
    assert not Count.objects.exists()
    assert not CountMark.objects.filter(run=result.run).exists()
    assert not hasattr(result.run, "fulfilment")


def test_without_their_guards_it_would_be_told_and_counted(
    refunds: Company, watched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutants: a case's end is told like any run's, and what it does counts."""
    rewrite_appends(monkeypatch, "fence.kind <> 'case' AND ", "")
    counted = rewrite(monkeypatch, starting, "create_run", "not fork_of and not is_case", "not fork_of")
    monkeypatch.setattr(evaluating, "create_run", counted)
    make_channel(refunds.cast, "https://hooks.example/told", name="told", kinds=["run.ended"])
    result = only(tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS))
    assert Notice.objects.filter(kind="run.ended", subject=result.run_id).exists()
    assert CountMark.objects.filter(run=result.run).exists()
    assert SpanExport.objects.filter(run=result.run).exists()


def test_without_its_guard_somebody_would_help(refunds: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another: a case takes messages like any run."""
    add = rewrite(monkeypatch, services, "add_message", "run.kind == RunKind.CASE", "False")
    begin(refunds, keep_set(refunds))
    carry_on()
    run = Run.objects.get(kind="case")
    add(actor=refunds.cast.ada, run=run, text="Do it like this.")
    assert "message.received" in refunds.kinds(run)


def test_a_run_of_a_case_can_be_replayed(refunds: Company) -> None:
    result = only(tried(refunds, keep_set(refunds), LOOKS, PAYS, ANSWERS))
    assert result.run is not None
    report = replay_run(actor=refunds.cast.alice, run=result.run)
    assert (report.outcome, report.prompts) == ("same", 3)


def test_nobody_helps_a_case_along(refunds: Company) -> None:
    begin(refunds, keep_set(refunds))
    carry_on()
    with pytest.raises(StateConflict) as refused:
        add_message(actor=refunds.cast.alice, run=Run.objects.get(kind="case"), text="Do it like this.")
    assert refused.value.code == "is_a_case"


def test_a_set_that_changes_stops_what_was_begun_with_it(refunds: Company) -> None:
    row = keep_set(refunds, case("one"), case("two"))
    made = begin(refunds, row, max_usd=Decimal(2))
    refunds.play(LOOKS, PAYS, ANSWERS)
    carry_on()
    keep_set(refunds, case("one"), case("two", message="Something else."))
    carry_through(refunds, made)
    assert (made.state, made.why_stopped) == ("stopped", "set_changed")


def test_it_can_be_stopped(refunds: Company) -> None:
    made = begin(refunds, keep_set(refunds))
    stop_evaluation(actor=starter(refunds), evaluation=made)
    carry_on()
    assert not Run.objects.filter(kind="case").exists()
    with pytest.raises(StateConflict):
        stop_evaluation(actor=starter(refunds), evaluation=made)


def test_an_agent_that_is_suspended_is_tried_no_further(refunds: Company) -> None:
    made = begin(refunds, keep_set(refunds))
    refunds.cast.agent.state = "suspended"
    refunds.cast.agent.save()
    carry_on()
    made.refresh_from_db()
    assert (made.state, made.why_stopped) == ("stopped", "agent_not_active")


@pytest.mark.parametrize(
    ("trial", "code"),
    [
        (Trial(Decimal("0.01")), "budget_too_small"),
        (Trial(Decimal("NaN")), "budget_too_small"),
        (Trial(Decimal(100), 0), "bad_repeat"),
        (Trial(Decimal(100), MOST_REPEATS + 1), "bad_repeat"),
    ],
)
def test_a_trial_that_cannot_be_is_refused(refunds: Company, trial: Trial, code: str) -> None:
    row, version = keep_set(refunds), refunds.published
    assert version is not None
    with pytest.raises(ValidationFailed) as refused:
        evaluate(actor=starter(refunds), evaluation_set=row, version=version, trial=trial)
    assert refused.value.code == code


def test_who_may_not_start_runs_has_nothing_tried_and_others_see_nothing(refunds: Company) -> None:
    row, version, cast = keep_set(refunds), refunds.published, refunds.cast
    assert version is not None
    for person in (cast.bob, cast.charlie, cast.application.service_account):
        with pytest.raises(PolicyDenied):
            evaluate(actor=person, evaluation_set=row, version=version, trial=Trial(Decimal(100)))
        with pytest.raises(PolicyDenied):
            save_set(actor=person, identity=cast.agent, spec=SetSpec("mine"))
    assert not Evaluation.objects.visible_to(cast.charlie).exists()
