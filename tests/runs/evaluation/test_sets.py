"""Sets of cases: what is one, who writes it, cases that are made of runs, and what becomes of them with their words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from agentops.errors import NotFound, PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.store import read_entries
from runs import erasure
from runs.erasure import erase_principal, erase_run
from runs.evaluation.declared import read_case
from runs.evaluation.recorded import make_case, propose_case
from runs.evaluation.sets import SetSpec, drop_case, drop_set, find_set, save_set
from runs.fulfilment.declared import Undeclarable
from runs.models import EvaluationCase, EvaluationSet, Run
from runs.services import add_message, answer_input
from tests.runs.company import SUBJECT, Company, proposes, says
from tests.runs.evaluation.trying import ANSWERS, LOOKS, PAYS, A, B, case, keep_set, only, tried

pytestmark = [pytest.mark.evaluation, pytest.mark.slow]

ANY: list[dict[str, Any]] = [{"ended": ["completed"]}]


def real_run(company: Company) -> Run:
    return company.run(LOOKS, PAYS, ANSWERS, message="My money back for A-1, please.")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"checks": []}, "checks"),
        ({"checks": [{"said": "so"}]}, "checks/0"),
        ({"message": " "}, "message"),
        ({"name": "x" * 65}, "name"),
        ({"people": "perhaps"}, "people"),
        ({"outcomes": [{"call": "look_up"}]}, "outcomes/0"),
        ({"outcomes": [{"call": "look_up", "answer": 1, "error": "both"}]}, "outcomes/0"),
        ({"outcomes": [{"call": "look_up", "answer": 1, "arguments": 5}]}, "outcomes/0/arguments"),
        ({"outcomes": [{"call": "look_up", "answer": 1, "times": 0}]}, "outcomes/0/times"),
        (
            {"outcomes": [{"call": "look_up", "answer": 1, "with": [{"at": "x", "is": 1}]}]},
            "outcomes/0/with/0/at",
        ),
        (
            {"outcomes": [{"call": "look_up", "answer": 1, "with": [{"at": "/x", "is": {}}]}]},
            "outcomes/0/with/0/is",
        ),
        ({"more": 1}, "case"),
    ],
)
def test_what_is_no_case_is_refused_with_the_place(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(Undeclarable) as refused:
        read_case(case(**changes), "case")
    assert str(refused.value).startswith(f"case/{where}:" if where != "case" else "case:")


@pytest.mark.parametrize(
    ("outcome", "arguments", "fits"),
    [
        ({}, {"order_id": "A-1"}, True),
        ({"arguments": {"amount": 50}}, {"amount": "50.00"}, True),
        ({"arguments": {"amount": 50}}, {"amount": 50, "more": 1}, False),
        ({"arguments": {"lines": [{"n": 1}]}}, {"lines": [{"n": 1.0}]}, True),
        ({"arguments": {"lines": [{"n": 1}]}}, {"lines": [{"n": 1}, {"n": 2}]}, False),
        ({"with": [{"at": "/lines/0/n", "is": 1}]}, {"lines": [{"n": 1}, {"n": 2}]}, True),
        ({"with": [{"at": "/lines/5/n", "is": None}]}, {"lines": []}, False),
        ({}, None, False),
    ],
)
def test_which_calls_an_outcome_answers(outcome: dict[str, Any], arguments: Any, fits: bool) -> None:
    read = read_case(case(outcomes=[{"call": "pay", "answer": None, **outcome}]), "case").outcomes[0]
    assert read.fits("pay", arguments) is fits
    assert not read.fits("look", arguments)


def test_a_set_is_saved_changed_and_dropped_on_the_record(refunds: Company) -> None:
    row = keep_set(refunds, case("one"), case("two"), description="What people ask.")
    first = row.digest
    again, changes = save_set(
        actor=refunds.cast.alice,
        identity=refunds.cast.agent,
        spec=SetSpec("everyday", (case("one"), case("two")), "What people ask."),
    )
    assert (again.pk, changes, again.digest) == (row.pk, {}, first)
    row = keep_set(refunds, case("two"), case("one"), gating=True, pass_rate=Decimal("0.9"))
    assert row.digest != first
    assert [each.name for each in row.cases.all()] == ["two", "one"]
    dropped = drop_set(actor=refunds.cast.alice, evaluation_set=row, reason="Nobody asks that.")
    assert not EvaluationSet.objects.visible_to(refunds.cast.alice).exists()
    with connection.cursor() as cursor:
        entries = read_entries(cursor, dropped.pk, contents=True)
    assert [each.kind for each in entries] == [
        "evaluation_set.saved",
        "evaluation_set.saved",
        "evaluation_set.dropped",
    ]
    assert "everyday" not in str([each.facts for each in entries])
    assert keep_set(refunds).pk != row.pk  # the name is free again


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (SetSpec(" ", (case(),)), "bad_name"),
        (SetSpec("x" * 65, (case(),)), "invalid_fields"),
        (SetSpec("x", (case(), case())), "bad_case"),
        (SetSpec("x", (case(message="a\x00b"),)), "bad_case"),
        (SetSpec("x", (case(message="a" * 200_000),)), "bad_case"),
        (SetSpec("x", (), gating=True), "no_cases"),
        (SetSpec("x", (case(),), pass_rate=Decimal(0)), "invalid_fields"),
        (SetSpec("x", (case(),), pass_rate=Decimal("1.1")), "invalid_fields"),
    ],
)
def test_what_is_no_set_is_refused(refunds: Company, spec: SetSpec, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        save_set(actor=refunds.cast.alice, identity=refunds.cast.agent, spec=spec)
    assert refused.value.code == code
    assert not EvaluationSet.objects.exists()


def test_a_case_of_a_run_has_its_request_its_outcomes_and_checks_that_it_passes(refunds: Company) -> None:
    run = real_run(refunds)
    seen = list(refunds.world.attempts)
    row = keep_set(refunds, case())
    made = make_case(actor=refunds.cast.alice, run=run, evaluation_set=row, name="as it was")
    assert made.written["message"] == "My money back for A-1, please."
    assert [(each["call"], each["arguments"]) for each in made.written["outcomes"]] == [
        ("look_up", A),
        ("refund", A),
    ]
    assert made.written["checks"] == [
        {"ended": ["completed"]},
        {"called": "refund", "times": 1},
        {"called": "refund", "with": [{"at": "/order_id", "is": "A-1"}]},
    ]
    drop_case(actor=refunds.cast.alice, case=row.cases.get(name="money back"))
    result = only(tried(refunds, EvaluationSet.objects.get(), LOOKS, PAYS, ANSWERS))
    assert result.passed
    assert result.run is not None
    assert result.run.principal_id == run.principal_id
    assert refunds.world.attempts == seen
    assert refunds.asked()[0]["messages"] == refunds.asked()[3]["messages"]


def test_like_calls_are_answered_as_often_as_they_were_the_last_always(refunds: Company) -> None:
    run = refunds.run(LOOKS, LOOKS, PAYS, ANSWERS)
    told = propose_case(run)["outcomes"]
    assert [each.get("times") for each in told] == [1, None, None]


def test_what_people_and_the_user_said_is_in_the_case(company: Company) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    company.publish(may_ask_user=True)
    run = company.run(proposes(("ask_user", {"question": "Which?"})), PAYS, says("No."))
    answer_input(actor=company.cast.application.service_account, run=run, text="The first.")
    company.drive(run)
    company.decide("deny", "no")
    company.drive(run)
    outcomes = propose_case(run)["outcomes"]
    assert outcomes == [
        {"call": "ask_user", "answer": "The first.", "times": 1},
        {"call": "refund", "arguments": A, "answer": None, "people": "deny"},
    ]
    row = keep_set(company, case("other", checks=ANY))
    make_case(actor=company.cast.alice, run=run, evaluation_set=row, name="as it was")
    drop_case(actor=company.cast.alice, case=row.cases.get(name="other"))
    result = only(tried(company, row, proposes(("ask_user", {"question": "Which one?"})), PAYS, says("No.")))
    assert (result.passed, result.approvals, result.misses) == (True, 1, 0)


def test_a_run_that_a_case_cannot_repeat_makes_none(refunds: Company) -> None:
    row, going = keep_set(refunds), refunds.start()
    with pytest.raises(StateConflict) as refused:
        make_case(actor=refunds.cast.alice, run=going, evaluation_set=row, name="going")
    assert refused.value.code == "run_not_ended"
    add_message(actor=refunds.cast.application.service_account, run=going, text="And another thing.")
    refunds.play(ANSWERS)
    refunds.drive(going)
    with pytest.raises(StateConflict) as refused:
        make_case(actor=refunds.cast.alice, run=going, evaluation_set=row, name="more words")
    assert refused.value.code == "not_a_case"
    tried_one = only(tried(refunds, row, LOOKS, PAYS, ANSWERS)).run
    assert tried_one is not None
    with pytest.raises(StateConflict):
        make_case(actor=refunds.cast.alice, run=tried_one, evaluation_set=row, name="of a case")


def test_only_runs_of_the_agent_and_only_those_who_may(refunds: Company) -> None:
    run, row, cast = real_run(refunds), keep_set(refunds), refunds.cast
    for person in (cast.bob, cast.charlie):
        with pytest.raises(PolicyDenied):
            make_case(actor=person, run=run, evaluation_set=row, name="mine")
        with pytest.raises(PolicyDenied):
            drop_case(actor=person, case=row.cases.get())
        with pytest.raises(PolicyDenied):
            drop_set(actor=person, evaluation_set=row, reason="mine")
    with pytest.raises(NotFound):
        find_set(cast.charlie, row.pk)
    Run.objects.filter(pk=run.pk).update(team=cast.other_team)
    with pytest.raises(NotFound):
        make_case(actor=cast.alice, run=run, evaluation_set=row, name="another team's")
    Run.objects.filter(pk=run.pk).update(team=cast.team)


def test_a_case_goes_with_the_words_of_its_run(refunds: Company) -> None:
    run = real_run(refunds)
    row = keep_set(refunds, case())
    make_case(actor=refunds.cast.alice, run=run, evaluation_set=row, name="as it was")
    made = tried(refunds, row, LOOKS, PAYS, ANSWERS, LOOKS, PAYS, ANSWERS)
    before = EvaluationSet.objects.get().digest
    erase_run(actor=refunds.cast.ada, run=run, reason="asked for it")
    assert [each.name for each in EvaluationCase.objects.all()] == ["money back"]
    assert EvaluationSet.objects.get().digest != before
    other, own = made.results.all()
    assert (own.passed, own.checks, bool(other.checks)) == (True, [], True)
    assert own.run is not None
    assert "My money back" not in str(refunds.entries(own.run))
    with pytest.raises(StateConflict):
        make_case(actor=refunds.cast.alice, run=run, evaluation_set=row, name="again")


def test_without_the_erasure_of_cases_the_words_would_stay(
    refunds: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mutant: an erasure forgets the cases."""
    monkeypatch.setattr(erasure, "erase_cases", lambda _: None)
    run = real_run(refunds)
    make_case(actor=refunds.cast.alice, run=run, evaluation_set=keep_set(refunds), name="as it was")
    erase_run(actor=refunds.cast.ada, run=run, reason="asked for it")
    assert EvaluationCase.objects.filter(written__message__startswith="My money back").exists()


def test_a_case_goes_with_the_person(refunds: Company) -> None:
    run = real_run(refunds)
    row = keep_set(refunds, case())
    make_case(actor=refunds.cast.alice, run=run, evaluation_set=row, name="as it was")
    tried(refunds, row, LOOKS, PAYS, ANSWERS, LOOKS, PAYS, ANSWERS)
    erase_principal(actor=refunds.cast.ada, principal=run.principal, reason="asked for it")
    assert not EvaluationCase.objects.filter(source_run__isnull=False).exists()
    assert SUBJECT not in str([run.principal.subject for run in Run.objects.select_related("principal")])


def test_written_cases_replace_written_ones_and_leave_those_of_runs(refunds: Company) -> None:
    run = real_run(refunds)
    row = keep_set(refunds, case("one"))
    make_case(actor=refunds.cast.alice, run=run, evaluation_set=row, name="as it was")
    keep_set(refunds, case("two"), case("three"))
    assert [each.name for each in row.cases.all()] == ["two", "three", "as it was"]
    with pytest.raises(StateConflict):
        keep_set(refunds, case("as it was"))
    assert B["order_id"] not in str(row.cases.get(name="as it was").written)
