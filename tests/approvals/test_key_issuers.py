"""Who issued the key with which a run was started has a part in it, and in what acts for it."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError

from approvals import duties
from approvals.models import ApprovalRequest
from identities.models import User
from identities.services import issue_api_key
from runs.models import Run
from tests.approvals.bending import unguarded
from tests.approvals.conftest import company
from tests.approvals.test_quorum import approver, code_of, say
from tests.authority.conftest import Desk, desk
from tests.cast import let_govern
from tests.runs.company import ORDER, Company, proposes, says

__all__ = ["company", "desk"]

pytestmark = pytest.mark.django_db(transaction=True)


def start_with_key(company: Company, issuer: User) -> Run:
    """Start a run with a key of the application that somebody issued."""
    let_govern(issuer)
    account = company.cast.application.service_account
    key, _ = issue_api_key(actor=User.objects.get(pk=issuer.pk), user=account, label="shop")
    return company.start(credential=key)


def test_the_issuer_decides_about_no_call_of_the_run(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    uma, vic = approver(company, "uma"), approver(company, "vic")
    run = start_with_key(company, uma)
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.drive(run)
    request = ApprovalRequest.objects.get()
    assert request.key_issuer == uma
    assert code_of(uma, request) == "issued_the_key"
    assert list(ApprovalRequest.objects.decidable_by(uma)) == []
    assert list(ApprovalRequest.objects.decidable_by(vic)) == [request]
    monkeypatch.delitem(duties.PARTS, "key issuer")
    with pytest.raises(ProgrammingError, match="somebody apart"):
        say(uma, request)
    company.is_mutant = True
    with unguarded():
        assert say(uma, request) == "approved"


def test_nor_about_those_of_a_run_that_acts_for_it(desk: Desk) -> None:
    company = desk.company
    company.add_tool("refund", grant="REQUIRE_APPROVAL")
    uma = approver(company, "uma")
    first = start_with_key(company, uma)
    second = desk.start(desk.hire(grants={"refund": {"decision": "ALLOW"}}), parent=first)
    company.play(proposes(("refund", ORDER)), says("Done."))
    company.drive(second)
    request = ApprovalRequest.objects.get()
    assert (request.key_issuer, request.parents.get().key_issuer) == (None, uma)
    assert code_of(uma, request) == "issued_a_parents_key"
