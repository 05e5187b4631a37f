"""Approval requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from factory.django import DjangoModelFactory
from guardian.shortcuts import assign_perm

from agentops.identifiers import new_id
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from approvals.models import ApprovalDecision, ApprovalRequest, ApprovalStage, StageGroup
from tests.factories.declarations import LazyAttribute, LazyFunction, SelfAttribute, SubFactory
from tests.factories.identities import AgentFactory, PersonFactory, PrincipalFactory
from tests.factories.tools import ToolVersionFactory


class ApprovalRequestFactory(DjangoModelFactory[ApprovalRequest]):
    """A waiting request, without the evidence in its ledger stream."""

    class Meta:
        model = ApprovalRequest

    identity = SubFactory(AgentFactory)
    team = SelfAttribute("identity.team")
    tool_version = SubFactory(
        ToolVersionFactory, irreversible=True, tool__team=SelfAttribute("...identity.team")
    )
    tool = SelfAttribute("tool_version.tool")
    principal = SubFactory(PrincipalFactory, team=SelfAttribute("..team"))
    subject_ref = LazyFunction(lambda: str(new_id()))
    wake_task = "runs.wake_run"
    key = LazyAttribute(lambda request: f"{request.subject_ref}:1:{request.tool.name}:1")
    digest = LazyFunction(lambda: new_id().hex * 2)
    effect = "irreversible"
    created_at = LazyFunction(timezone.now)
    stage_at = SelfAttribute("created_at")
    expires_at = LazyAttribute(lambda request: request.created_at + timedelta(minutes=10))

    @classmethod
    def _create(cls, model_class: Any, *args: Any, **values: Any) -> ApprovalRequest:
        """Ask for one yes of anybody, where a test says nothing else."""
        needed = values.pop("needed", (1,))
        made: ApprovalRequest = super()._create(model_class, *args, **values)  # type: ignore[no-untyped-call]  # the library's own
        for place, count in enumerate(needed, start=1):
            ApprovalStage.objects.create(request=made, place=place, needed=count, ladder=[[0, None]])
            StageGroup.objects.create(request=made, place=place, group=None, opened_at=made.created_at)
        return made


def record_decision(request: ApprovalRequest, verdict: str = "approve", digest: str = "") -> None:
    """Write what a person's decision leaves behind: a row, and an entry behind the request's own."""
    person, now = PersonFactory.create(), timezone.now()
    assign_perm("approve_calls", person, request.tool)
    facts = {"verdict": verdict, "channel": "console", "digest": digest or request.digest}
    with transaction.atomic():
        ApprovalDecision.objects.create(request=request, decided_by=person, decided_at=now, **facts)
        decided = Draft("approval.decided", now, facts, None, person.pk)
        record(request.pk, "approval", Draft("approval.requested", now), decided)
