"""While an agent is at work on a change set nobody is asked about its items; once it is offered, everybody is."""

from __future__ import annotations

import pytest

from agentops.database import borrowed
from agentops.errors import PolicyDenied
from approvals import unready
from approvals.capacity import set_review_capacity
from approvals.models import ApprovalRequest
from approvals.services import decide
from identities.models import Team
from runs.admission import read_crowds
from runs.models import ChangeSet, RunMode
from runs.reviewing import read_waiting
from tests.api.caller import Caller, bearer_of
from tests.console.visits import sign_in, text_of
from tests.runs.changesets.proposing import MAIL, REFUND, prepare
from tests.runs.company import Company, proposes, says

INBOX = "/admin/approvals/approvalrequest/"


@pytest.fixture
def drafting(company: Company) -> ApprovalRequest:
    """Return the request of an item whose set is not offered: the agent has staged it, and plans on."""
    prepare(company)
    company.play(proposes(REFUND), proposes(MAIL), says("That is what I propose."))
    company.drive(company.start(mode=RunMode.PROPOSE))
    ChangeSet.objects.update(state="draft")
    company.is_mutant = True  # the set is put back past the ledger
    first = ApprovalRequest.objects.order_by("created_at").first()
    assert first is not None
    return first


def decide_first(company: Company, request: ApprovalRequest) -> None:
    decide(
        actor=company.cast.fiona, request=request, verdict="approve", reason="", digest=request.digest,
        channel="api", second_factor=True,
    )  # fmt: skip


def test_nobody_finds_it_in_the_inbox(company: Company, drafting: ApprovalRequest) -> None:
    fiona = company.cast.fiona
    assert not ApprovalRequest.objects.decidable_by(fiona).exists()
    assert "Nothing here" in text_of(sign_in(fiona).get(INBOX))
    assert "0 waiting for a decision" in text_of(sign_in(fiona).get("/admin/"))


def test_the_api_lists_it_once_it_is_offered(company: Company, drafting: ApprovalRequest) -> None:
    caller = Caller(bearer_of(company.cast, company.cast.fiona))
    assert caller.get("/approvals?state=waiting").body["data"] == []
    ChangeSet.objects.update(state="offered")
    assert len(caller.get("/approvals?state=waiting").body["data"]) == 2


def test_nobody_decides_it(company: Company, drafting: ApprovalRequest) -> None:
    with pytest.raises(PolicyDenied) as refused:
        decide_first(company, drafting)
    assert refused.value.code == "not_offered"


def test_offered_it_is_there(company: Company, drafting: ApprovalRequest) -> None:
    ChangeSet.objects.update(state="offered")
    assert ApprovalRequest.objects.decidable_by(company.cast.fiona).count() == 2


def count_before_reviewers(company: Company) -> int:
    """Return how many requests the team's people are said to have before them, and what admission goes by."""
    team = company.cast.team
    set_review_capacity(actor=company.cast.ada, team=team, per_approver_hour=5)
    (standing,) = read_waiting(Team.objects.filter(pk=team.pk))
    with borrowed() as connection, connection.cursor() as cursor:
        crowd = read_crowds(cursor, [team.pk])[team.pk]
    assert crowd.load == standing.crowd.load
    return standing.crowd.load.waiting


def test_it_is_no_load_of_the_reviewers(company: Company, drafting: ApprovalRequest) -> None:
    assert count_before_reviewers(company) == 0
    ChangeSet.objects.update(state="offered")
    assert count_before_reviewers(company) == 2


def test_mutant_that_asks_at_once(
    company: Company, drafting: ApprovalRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unready, "_finds", [])
    assert count_before_reviewers(company) == 2
    assert ApprovalRequest.objects.decidable_by(company.cast.fiona).count() == 2
    decide_first(company, drafting)
