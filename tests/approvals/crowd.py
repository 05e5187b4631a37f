"""Many requests that wait, alike but for their arguments: written together, each as a run would have asked it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from django.db import transaction

from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.many import record_many
from approvals.batches.checks import Candidate
from approvals.batches.sealed import Asked, read_asked
from approvals.models import ApprovalRequest, ApprovalStage, StageGroup
from runs import reassessing
from runs.models import Run
from tests.runs.company import Company, proposes
from tools.assessment import assess

Arguments = Callable[[int], dict[str, Any]]  # Any: JSON


def order(number: int) -> dict[str, Any]:
    return {"order_id": f"B-{number}"}


def ask_first(company: Company, name: str = "refund", **tool: Any) -> ApprovalRequest:
    """Have a real run ask for a call that Fiona may decide about."""
    fields = {
        "effect": "reversible",
        "grant": "REQUIRE_APPROVAL",
        "statement": "refund order {order_id}",
        **tool,
    }
    version = company.add_tool(name, **fields)
    company.let_decide(version.tool)
    company.run(proposes((name, {"order_id": "A-1"}), text="Broken."), message="Please refund it.")
    return ApprovalRequest.objects.get(tool=version.tool)


def make_crowd(first: ApprovalRequest, count: int, arguments: Arguments = order) -> list[ApprovalRequest]:
    """Ask as often as the first did, each in a run of its own, with other arguments."""
    run = Run.objects.get(pk=first.subject_ref)
    runs = [_copy(run) for _ in range(count)]
    asked = read_asked([first.pk])[first.pk]
    made = [_ask(first, each) for each in runs]
    evidence = [
        Asked(asked.facts, {**(asked.evidence or {}), "arguments": arguments(number)})
        for number in range(count)
    ]
    with transaction.atomic():
        Run.objects.bulk_create(runs, batch_size=1_000)
        _sign(made, evidence)
        _write(made, evidence)
    return made


def _copy(run: Run) -> Run:
    made = copy(run)
    made.pk = new_id()
    made._state = copy(run._state)
    made._state.adding = True
    made.required_actions = []
    return made


def _ask(first: ApprovalRequest, run: Run) -> ApprovalRequest:
    made = copy(first)
    made.pk = new_id()
    made._state = copy(first._state)
    made._state.adding = True
    made.subject_ref, made.key = str(run.pk), first.key.replace(first.subject_ref, str(run.pk))
    return made


def _sign(made: Sequence[ApprovalRequest], evidence: Sequence[Asked]) -> None:
    """Bind each to its call, by the digest that a run takes of it."""
    candidates = [Candidate(request, asked, "") for request, asked in zip(made, evidence, strict=True)]
    runs = reassessing._read_runs(candidates)
    answer = None
    for each in candidates:
        request, planned = each.request, reassessing._plan(runs[each.request.subject_ref], each)
        assessment = assess(planned.call, by=planned.by, now=request.created_at, known=answer)
        assert assessment.verdict == "REQUIRE_APPROVAL", assessment.detail
        answer, request.digest, request.amount = assessment.answer, assessment.digest, assessment.amount


def _write(made: Sequence[ApprovalRequest], evidence: Sequence[Asked]) -> None:
    ApprovalRequest.objects.bulk_create(made, batch_size=1_000)
    ApprovalStage.objects.bulk_create(
        ApprovalStage(request=each, place=1, needed=1, ladder=[[0, None]]) for each in made
    )
    StageGroup.objects.bulk_create(
        StageGroup(request=each, place=1, group=None, opened_at=each.created_at) for each in made
    )
    record_many(
        "approval", {each.pk: _draft(each, asked) for each, asked in zip(made, evidence, strict=True)}
    )


def _draft(request: ApprovalRequest, asked: Asked) -> Draft:
    amount = None if request.amount is None else f"{request.amount:f}"
    facts = {**asked.facts, "digest": request.digest, "key": request.key, "amount": amount}
    return Draft("approval.requested", request.created_at, facts, asked.evidence, request.identity_id)
