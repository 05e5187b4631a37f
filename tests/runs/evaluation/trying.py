"""Evaluations in tests: a set, a trial of it, and its runs driven to their end one after the other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from identities.models import User
from runs.evaluation.evaluating import Trial, carry_on, evaluate
from runs.evaluation.sets import SetSpec, save_set
from runs.models import AgentVersion, Evaluation, EvaluationResult, EvaluationSet, Run
from tests.factories import AgentVersionFactory
from tests.runs.company import Company, proposes, says
from tests.runs.planner.provider import Turn
from tests.runs.replays.forking import let_fork

A, B = {"order_id": "A-1"}, {"order_id": "B-2"}
LOOKS, PAYS, ANSWERS = proposes(("look_up", A)), proposes(("refund", A)), says("You get it back.")
ORDER = {"id": "A-1", "total": "20.00"}


def case(name: str = "money back", **changes: Any) -> dict[str, Any]:
    """Describe a case: an order is looked up, and its money goes back once."""
    plain: dict[str, Any] = {
        "name": name,
        "message": "I want my money back for order A-1.",
        "outcomes": [
            {"call": "look_up", "arguments": A, "answer": ORDER},
            {"call": "refund", "with": [{"at": "/order_id", "is": "A-1"}], "answer": {"refunded": True}},
        ],
        "checks": [{"called": "refund", "times": 1, "with": [{"at": "/order_id", "is": "A-1"}]}],
    }
    return {**plain, **changes}


def keep_set(
    company: Company, *cases: dict[str, Any], name: str = "everyday", **changes: Any
) -> EvaluationSet:
    """Save a set of the company's agent."""
    spec = SetSpec(name, cases or (case(),), **changes)
    return save_set(actor=company.cast.alice, identity=company.cast.agent, spec=spec)[0]


def begin(
    company: Company, row: EvaluationSet, version: AgentVersion | None = None, **changes: Any
) -> Evaluation:
    """Start an evaluation as Alice."""
    tried = version or company.published
    assert tried is not None
    trial = Trial(**{"max_usd": Decimal(1_000), **changes})
    return evaluate(actor=starter(company), evaluation_set=row, version=tried, trial=trial)


def draft(company: Company, **changes: Any) -> AgentVersion:
    """Draft another version of the agent, with all its tools."""
    made: AgentVersion = AgentVersionFactory.create(
        identity=company.cast.agent, model=company.model, catalogue=company.versions, **changes
    )
    return AgentVersion.objects.get(pk=made.pk)


def starter(company: Company) -> User:
    """Return Alice, who may start runs of the agent."""
    return let_fork(company.cast.alice)


def carry_through(company: Company, evaluation: Evaluation) -> Evaluation:
    """Drive an evaluation's runs and carry it on until it goes no further."""
    carry_on()
    while going := list(Run.objects.filter(case_result__evaluation=evaluation, ended_at=None).order_by("id")):
        for run in going:
            company.drive(run)
        carry_on()
    evaluation.refresh_from_db()
    return evaluation


def tried(
    company: Company, row: EvaluationSet, *turns: Turn, version: AgentVersion | None = None, **changes: Any
) -> Evaluation:
    """Play turns to a whole evaluation."""
    made = begin(company, row, version, **changes)
    company.play(*turns)
    return carry_through(company, made)


def only(evaluation: Evaluation) -> EvaluationResult:
    """Return the one result of an evaluation."""
    return evaluation.results.get()
