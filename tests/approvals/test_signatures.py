"""A security key signs the digest, and with it what was shown of the target: it is no signature about what is now."""

from __future__ import annotations

import pytest

from agentops.console import security_keys
from approvals.admin import inbox
from approvals.governing import Ruling, set_approval_rule
from approvals.models import ApprovalRequest
from tests.approvals.conftest import company
from tests.approvals.test_admin import show
from tests.console.authenticator import SoftKey
from tests.console.test_security_keys import add, decide, prove
from tests.console.visits import sign_in, text_of
from tests.ledger import last_entry
from tests.runs.company import Company
from tests.runs.deeds import WORLD
from tests.runs.previews import change_account, show_refunds, turns

__all__ = ["company"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.approvals]


def asked_by_key(company: Company) -> tuple[SoftKey, ApprovalRequest, ApprovalRequest]:
    """Return Fiona's key, the request that she approved with it, and the one that was made once that had drifted."""
    show_refunds(company)
    key = SoftKey()
    assert add(sign_in(company.cast.fiona), key).status_code == 200
    ruling = Ruling("Refunds", ({"needed": 1},), factor="key")
    set_approval_rule(actor=company.cast.ada, team=company.cast.team, place=1, ruling=ruling)
    run = company.run(*turns())
    first = ApprovalRequest.objects.get()
    client = sign_in(company.cast.fiona)
    prove(client, key, f"approve:{first.digest}")
    assert decide(client, first).status_code == 302
    assert "signature" in last_entry(first.pk).facts
    change_account(refunded="2.00")
    company.drive(run)
    return key, first, ApprovalRequest.objects.get(state="waiting")


def test_a_signature_about_the_state_before_is_none_about_the_state_after(company: Company) -> None:
    key, first, again = asked_by_key(company)
    client = sign_in(company.cast.fiona)
    prove(client, key, f"approve:{first.digest}")
    refused = decide(client, again)
    assert refused.status_code == 403
    assert "security key" in refused.content.decode()
    again.refresh_from_db()
    assert (again.state, WORLD.effects) == ("waiting", [])
    prove(client, key, f"approve:{again.digest}")
    assert decide(client, again).status_code == 302
    again.refresh_from_db()
    assert again.state == "approved"


def test_the_page_asks_for_the_key_also_where_a_factor_was_given_just_now(company: Company) -> None:
    """And says what is missing to who has none, whose buttons could only refuse."""
    _, _, again = asked_by_key(company)
    page = show(sign_in(company.cast.fiona), again).content.decode()
    for verdict in ("approve", "deny"):
        assert f'data-about="{verdict}:{again.digest}"' in page
    assert 'name="code" value=""' in page  # without which the browser would send the form unsigned
    company.let_decide(again.tool, company.cast.bob)
    keyless = show(sign_in(company.cast.bob), again)
    assert "you have none that counts at this address" in text_of(keyless)
    assert keyless.content.decode().count('disabled aria-describedby="takes-key"') == 2


def test_nor_does_the_digest_before_decide_about_the_state_after(company: Company) -> None:
    key, first, again = asked_by_key(company)
    client = sign_in(company.cast.fiona)
    prove(client, key, f"approve:{first.digest}")
    form = {"verdict": "approve", "reason": "Fine.", "digest": first.digest}
    refused = client.post(f"/admin/approvals/approvalrequest/{again.pk}/decision/", form)
    assert refused.status_code == 409
    again.refresh_from_db()
    assert again.state == "waiting"


def test_mutant_that_does_not_compare_what_was_signed_takes_the_old_signature(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, first, again = asked_by_key(company)
    client = sign_in(company.cast.fiona)
    prove(client, key, f"approve:{first.digest}")
    monkeypatch.setattr(
        inbox, "take_signature", lambda request, about: request.session.pop(security_keys.SIGNED, {})
    )
    assert decide(client, again).status_code == 302
    again.refresh_from_db()
    assert again.state == "approved"
