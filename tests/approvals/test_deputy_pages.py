"""What the pages cost somebody who stands in for others: no more statements than a page may take."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals.models import ApprovalRequest
from identities.models import User
from tests.approvals.conftest import company
from tests.approvals.test_deputies import HEADS, away
from tests.approvals.test_quorum import approver, ask, refund
from tests.console.visits import page_of, sign_in
from tests.runs.company import Company

__all__ = ["company", "refund"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals, pytest.mark.slow]

MOST = 30  # statements of a page


def stand_in(company: Company, name: str, heads: int) -> User:
    """Return somebody to whom so many colleagues have left what they approve, one of them a deputy themselves."""
    deputy = approver(company, name)
    absent = [approver(company, f"{name}-{number}", "heads") for number in range(heads)]
    for head in absent:
        away(head, deputy)
    away(approver(company, f"{name}-behind"), absent[0])
    return deputy


def count_statements(client: Client, path: str) -> int:
    """Return how many statements a page takes, once what a process reads once has been read."""
    assert client.get(path).status_code == 200
    with CaptureQueriesContext(connection) as asked:
        client.get(path)
    return sum("SAVEPOINT" not in each["sql"] for each in asked.captured_queries)


@pytest.mark.usefixtures("refund")
def test_the_pages_of_a_deputy_take_no_more_for_many_than_for_one(company: Company) -> None:
    of_one, of_many = stand_in(company, "dee", 1), stand_in(company, "dot", 8)
    _, request = ask(company, HEADS)
    inbox = page_of("approvals_approvalrequest", "changelist")
    page = page_of("approvals_approvalrequest", "change", request.pk)
    for path in ("/admin/", f"{inbox}?tab=waiting", f"{inbox}together/", page):
        few, many = (count_statements(sign_in(each), path) for each in (of_one, of_many))
        assert (path, many) == (path, few)
        assert many <= MOST, path
    assert [list(ApprovalRequest.objects.decidable_by(each)) for each in (of_one, of_many)] == [[request]] * 2
