"""What an agent outside is told while its call waits: for its user, for people, and of what the call changes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from approvals.confirmations.answering import answer_confirmation
from approvals.models import Confirmation
from runs.gateway import showing
from runs.gateway.answers import Answer
from runs.gateway.asking import send_to
from runs.gateway.mcp_tasks import describe_task
from runs.gateway.receiving import Foreign
from runs.gateway.telling import tell_result
from runs.models import ReceivedCall
from runs.services import kill_run
from tests.rewriting import rewrite
from tests.runs.company import ISSUER, ORDER, SUBJECT, Company
from tests.runs.gateway.conftest import Outside, delegate
from tests.runs.previews import REFUND, change_account, show_refunds

SECRET_STATUS = {"results": {"status": ["untrusted", "sensitive"]}}
CHANGES = [
    {"label": "Order", "before": "delivered", "after": "refunded"},
    {"label": "Paid back", "before": "0.00 USD", "after": "5.00 USD"},
]


def connect(company: Company) -> Outside:
    """Have the agent be one outside, sent by the application."""
    company.publish(price=False, planner="external", principal_source="token", max_steps=40)
    return Outside(company, replace(delegate(company), application=company.cast.application))


@pytest.fixture
def confirming(company: Company) -> Outside:
    """Return an agent outside whose refund its user has to confirm, and Fiona to approve."""
    show_refunds(company, grant_confirmation=True)
    return connect(company)


def told(received: ReceivedCall, answer: Answer) -> dict[str, Any]:  # Any: JSON
    result = tell_result(received, answer)
    assert result.is_error
    block: Any = result.content[0]  # Any: a text
    read: dict[str, Any] = json.loads(block.text)
    return read


def answer(company: Company, verdict: str = "confirm") -> None:
    question = Confirmation.objects.get(state="waiting")
    answer_confirmation(
        actor=company.cast.application.service_account, confirmation=question, verdict=verdict,
        digest=question.digest, named=(ISSUER, SUBJECT), reason="" if verdict == "confirm" else "not I",
    )  # fmt: skip


# --- its user has to confirm -------------------------------------------------------------------------------


def test_it_is_told_to_wait_for_its_user_then_for_people_and_what_came_of_it(confirming: Outside) -> None:
    company = confirming.company
    made = confirming.call("refund", REFUND, key="r-1")
    first = told(made, confirming.hear(made))
    assert (first["code"], first["changes"]) == ("confirmation_required", CHANGES)
    assert "approval_id" not in first
    assert first.keys() == {"code", "detail", "retry_after", "statement", "changes"}
    answer(company)
    company.drive(confirming.run)
    again = confirming.send("refund", REFUND, key="r-1")
    second = told(again, confirming.hear(again))
    assert (again, second["code"], second["changes"]) == (made, "approval_required", CHANGES)
    company.decide()
    company.drive(confirming.run)
    over = confirming.hear(confirming.send("refund", REFUND, key="r-1"))
    assert over.status == "succeeded"
    assert len(company.world.effects) == 1


def test_asking_again_confirms_nothing(confirming: Outside) -> None:
    for _ in range(3):
        made = confirming.call("refund", REFUND)
        assert confirming.hear(made).code == "confirmation_required"
    assert confirming.company.world.effects == []
    assert Confirmation.objects.count() == 1


def test_it_hears_that_its_user_refused_in_their_words(confirming: Outside) -> None:
    made = confirming.call("refund", REFUND)
    answer(confirming.company, "refuse")
    confirming.company.drive(confirming.run)
    heard = confirming.hear(made)
    assert (heard.status, heard.code) == ("failed", "denied_by_user")
    assert "not I" in heard.detail
    assert confirming.company.world.effects == []


def test_what_waits_for_its_user_holds_up_nothing_else(confirming: Outside) -> None:
    confirming.call("refund", REFUND)
    assert confirming.hear(confirming.call("read_account", ORDER)).status == "succeeded"


def test_who_came_by_no_application_has_nobody_to_confirm(company: Company) -> None:
    show_refunds(company, grant_confirmation=True)
    outside = replace(connect(company), caller=delegate(company))
    made = outside.call("refund", REFUND)
    assert outside.hear(made).code == "nobody_to_confirm"
    assert company.world.effects == []


# --- what it changes ---------------------------------------------------------------------------------------


@pytest.fixture
def gated(company: Company) -> Outside:
    show_refunds(company)
    return connect(company)


def test_it_sees_before_and_after_in_a_result_a_task_and_at_the_address(gated: Outside) -> None:
    made = gated.call("refund", REFUND)
    heard = gated.hear(made)
    assert told(made, heard)["changes"] == CHANGES
    assert "Paid back: 0.00 USD → 5.00 USD" in describe_task(made, heard)["statusMessage"]
    foreign = Foreign("refund", json.dumps(REFUND))
    sent: Any = send_to(made, foreign, heard).input_requests  # Any: of the SDK
    assert "Order: delivered → refunded" in sent["approval"].params.message


def test_it_sees_what_people_are_asked_anew(gated: Outside) -> None:
    made = gated.call("refund", REFUND)
    gated.company.decide()
    change_account(refunded="2.00")
    gated.company.drive(gated.run)
    assert told(made, gated.hear(made))["changes"][1] == {
        "label": "Paid back", "before": "2.00 USD", "after": "7.00 USD",
    }  # fmt: skip


def test_a_call_without_a_preview_has_a_statement(company: Company) -> None:
    company.add_tool("refund", grant="REQUIRE_APPROVAL", statement="Refund {amount} of order {order_id}")
    outside = connect(company)
    made = outside.call("refund", REFUND)
    heard = told(made, outside.hear(made))
    assert heard["statement"] == "Refund 5.00 of order “A-1”"
    assert "changes" not in heard


def test_a_call_that_waits_no_more_shows_nothing(gated: Outside) -> None:
    made = gated.call("refund", REFUND)
    kill_run(actor=gated.company.cast.ada, run=gated.run)
    gated.company.drive(gated.run)
    assert "statement" not in told(made, gated.hear(made))


def hide_status(company: Company) -> Outside:
    """Have what the account says of the order be sensitive."""
    show_refunds(company, provenance=SECRET_STATUS)
    return connect(company)


def test_what_is_sensitive_stays_with_those_who_decide(company: Company) -> None:
    outside = hide_status(company)
    made = outside.call("refund", REFUND)
    heard = told(made, outside.hear(made))
    assert heard["code"] == "approval_required"
    assert "changes" not in heard
    assert "delivered" not in json.dumps(heard)
    assert "delivered" not in describe_task(made, outside.hear(made))["statusMessage"]


def test_without_looking_it_learns_what_is_sensitive(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite(monkeypatch, showing, "_reads_secrets", "any(label.sensitive", "any(False")
    outside = hide_status(company)
    made = outside.call("refund", REFUND)
    assert "delivered" in json.dumps(told(made, outside.hear(made)))
