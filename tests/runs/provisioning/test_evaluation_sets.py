"""Evaluation sets in documents that are applied, and versions that such a set keeps as drafts."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.errors import ValidationFailed
from identities.models import User
from runs.evaluation.evaluating import carry_on
from runs.models import AgentVersion, Evaluation, EvaluationResult, EvaluationSet
from tests.runs.provisioning.document import apply, changed, edited

pytestmark = [pytest.mark.setup, pytest.mark.slow]

CASE: dict[str, Any] = {
    "name": "greeting",
    "message": "Hello.",
    "checks": [{"answer": {}}],
    "outcomes": [{"call": "look_up", "with": [{"at": "/order_id", "is": "A-1"}], "answer": {"line": {}}}],
}


def with_set(*cases: Any, instructions: str = "", **more: Any) -> str:
    def edit(document: dict[str, Any]) -> None:
        document["evaluation_sets"] = {"desk-agent": [{"name": "everyday", "cases": list(cases), **more}]}
        if instructions:
            document["versions"]["desk-agent"]["instructions"] = instructions

    return edited(edit)


def test_a_document_has_sets(ada: User) -> None:
    plan = apply(ada, with_set(CASE))
    row = EvaluationSet.objects.get()
    assert "evaluation set desk-agent: everyday" in changed(plan)
    assert [case.written for case in row.cases.all()] == [CASE]
    assert apply(ada, with_set(CASE)).is_empty
    other = {**CASE, "message": "Good morning."}
    assert "Good morning." in str(apply(ada, with_set(other)))
    assert EvaluationSet.objects.get().digest != row.digest


@pytest.mark.parametrize(
    "case", [{}, {**CASE, "checks": []}, {**CASE, "more": 1}, {**CASE, "outcomes": [{"call": "look_up"}]}]
)
def test_what_is_no_case_is_refused_with_its_place(ada: User, case: Any) -> None:
    with pytest.raises(ValidationFailed, match="evaluation_sets/desk-agent"):
        apply(ada, with_set(case))


def test_a_version_that_has_to_pass_first_stays_a_draft(ada: User) -> None:
    apply(ada, edited(lambda _: None))
    plan = apply(ada, with_set(CASE, gating=True, instructions="Be kind."))
    assert any("not been tried by evaluation set everyday" in note for note in plan.notes)
    draft = AgentVersion.objects.get(number=2)
    assert draft.state == "draft"
    made = Evaluation.objects.create(
        evaluation_set=EvaluationSet.objects.get(), version=draft, repeat=1, max_usd=1, started_by=ada,
        set_digest=EvaluationSet.objects.get().digest, version_digest=draft.digest,
    )  # fmt: skip
    EvaluationResult.objects.create(evaluation=made, place=1, case="greeting", repetition=1, passed=False)
    carry_on()
    with pytest.raises(ValidationFailed, match="passed 0 of 1 runs"):
        apply(ada, with_set(CASE, gating=True, instructions="Be kind."))
    made.results.update(passed=True)
    apply(ada, with_set(CASE, gating=True, instructions="Be kind."))
    draft.refresh_from_db()
    assert draft.state == "published"
