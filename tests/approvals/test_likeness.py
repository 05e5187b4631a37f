"""What requests like one got, and what is unusual about it: told on its page, in few statements."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.likeness import find_unusual, read_likeness
from approvals.models import ApprovalRequest
from approvals.services import read_evidence
from tests.approvals.batching import decide, put_together
from tests.approvals.crowd import ask_first, make_crowd
from tests.approvals.test_services import decide as decide_alone
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory
from tests.runs.company import Company
from tests.runs.conftest import company
from tools.models import ToolVersion

__all__ = ["company"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(company: Company) -> ApprovalRequest:
    """Return a request after twelve like it, of which Fiona denied one and approved the others."""
    company.is_mutant = True  # what no run has driven is no history to replay
    first = ask_first(company)
    crowd = make_crowd(first, 12, lambda number: {"order_id": "A-1"})
    decide_alone(crowd[0], company.cast.fiona, "deny", reason="No receipt.")
    decide(company.cast.fiona, put_together(company.cast.fiona, crowd[1:]))
    return make_crowd(first, 1, lambda _: {"order_id": "EVIL-9"})[0]


def test_what_similar_ones_got(company: Company, asked: ApprovalRequest) -> None:
    found = read_likeness(asked, read_evidence(asked))
    assert found.compared == 12
    assert len(found.like) == len(found.for_principal) == 5
    assert {each.reason for each in found.like if each.request.state == "denied"} <= {"No receipt."}
    assert {each.reason for each in found.like if each.request.state == "approved"} == {"looked at it"}
    assert all(each.decision and each.decision.decided_by == company.cast.fiona for each in found.like)


def test_a_target_that_was_never_seen_is_unusual_and_comes_first(
    company: Company, asked: ApprovalRequest
) -> None:
    (oddity,) = read_likeness(asked, read_evidence(asked)).oddities
    assert (oddity.leaf, oddity.words) == ("order_id", "order_id was never seen in decided requests")
    page = text_of(sign_in(company.cast.fiona).get(page_of("approvals_approvalrequest", "change", asked.pk)))
    assert page.count("What the tool would be given") == 1
    where = [
        page.index(words)
        for words in ("Unusual about this one", "What the tool would be given", "Why, in the")
    ]
    assert where == sorted(where)
    assert "What similar requests got" in page


def test_only_those_of_the_same_tool_are_told(company: Company, asked: ApprovalRequest) -> None:
    """Whoever may see the one may see the others; of another tool they might not."""
    other = ApprovalRequestFactory.create(identity=asked.identity, principal=asked.principal)
    ApprovalRequest.objects.filter(pk=other.pk).update(state="denied", decided_at=asked.created_at)
    found = read_likeness(asked, None)
    assert {each.request.tool_id for each in (*found.like, *found.for_principal)} == {asked.tool_id}
    assert read_likeness(other, None).compared == 0


def test_it_takes_few_statements(company: Company, asked: ApprovalRequest) -> None:
    evidence = read_evidence(asked)
    with CaptureQueriesContext(connection) as found:
        read_likeness(asked, evidence)
    assert len(found) <= 6


@pytest.mark.parametrize(("amount", "is_far"), [("19.00", False), ("500", True), ("20", False)])
def test_an_amount_beyond_the_usual(amount: str, is_far: bool) -> None:
    version = ToolVersion(amount_argument="amount")
    usual = [ApprovalRequest(amount=Decimal(20), currency="USD") for _ in range(8)]
    own = ApprovalRequest(amount=Decimal(amount), currency="USD", tool_version=version)
    found = find_unusual((own, None), [(each, None) for each in usual])
    assert [oddity.code == "amount" for oddity in found] == [True] * is_far
