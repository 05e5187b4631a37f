"""What people see of a call's changes: on the request's page, in the API, on the page of what is held."""

from __future__ import annotations

import json
from typing import Any

import pytest

from approvals.models import ApprovalRequest
from runs.held import read_held
from runs.models import Run
from tests.console.visits import page_of, sign_in
from tests.runs.company import Company
from tests.runs.conftest import company
from tests.runs.deeds import ACCOUNT
from tests.runs.previews import change_account, show_refunds, turns

__all__ = ["company"]

pytestmark = [pytest.mark.console, pytest.mark.slow]

MODEL = "approvals_approvalrequest"


@pytest.fixture
def waiting(company: Company) -> Run:
    show_refunds(company)
    return company.run(*turns())


def page(company: Company, request: ApprovalRequest) -> str:
    return sign_in(company.cast.fiona).get(page_of(MODEL, "change", request.pk)).content.decode()


def section(text: str) -> str:
    return text.partition('id="changes"')[2].partition("</section>")[0]


def test_the_page_shows_what_will_change(company: Company, waiting: Run) -> None:
    shown = section(page(company, ApprovalRequest.objects.get()))
    assert "What it will change" in shown
    assert "cannot be undone" in shown
    for words in (
        "Paid back",
        "<bdi>0.00 USD</bdi>",
        '<strong class="moves"><bdi>5.00 USD</bdi></strong>',
        "delivered",
    ):
        assert words in shown
    assert "not what people were shown" not in shown


def test_the_page_shows_what_it_was_and_what_it_is_now(company: Company, waiting: Run) -> None:
    first = company.decide()
    change_account(refunded="2.00")
    company.drive(waiting)
    shown = section(page(company, ApprovalRequest.objects.get(state="waiting")))
    assert "This is not what people were shown before" in shown
    assert "0.00 USD → 5.00 USD" in shown
    assert "2.00 USD → 7.00 USD" in shown
    again = ApprovalRequest.objects.get(state="waiting")
    assert str(again.pk) in page(company, first), "the void one leads to the one that counts"


def test_what_a_tool_answers_is_text_on_the_page(company: Company) -> None:
    show_refunds(company)
    ACCOUNT["status"] = "<script>alert(1)</script>"
    company.run(*turns())
    shown = page(company, ApprovalRequest.objects.get())
    assert "<script>alert(1)" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in section(shown)


def test_a_tool_that_shows_nothing_says_so(company: Company) -> None:
    show_refunds(company, preview=None)
    company.run(*turns())
    assert "its tool declares no preview" in page(company, ApprovalRequest.objects.get())


def test_held_calls_show_it_too(company: Company, django_assert_max_num_queries: Any) -> None:
    show_refunds(company, effect="reversible", grant="ALLOW", grant_veto_s=600)
    company.run(*turns())
    with django_assert_max_num_queries(3):
        [held] = read_held(company.cast.alice)
    assert held.told is not None
    assert [row.after for row in held.told.rows] == ["refunded", "5.00 USD"]
    shown = sign_in(company.cast.alice).get(page_of("runs_run", "held")).content.decode()
    assert "What it will change" in shown
    assert "5.00 USD" in shown


def test_the_api_has_it_in_the_evidence(company: Company, waiting: Run) -> None:
    from rest_framework.renderers import JSONRenderer

    from approvals.api.views import _render

    [row] = _render([ApprovalRequest.objects.get()])
    told = json.loads(JSONRenderer().render(row))["evidence"]["preview"]
    assert told["changes"][1] == {
        "label": "Paid back", "type": "money", "before": "0.00", "after": "5.00", "currency": "USD",
    }  # fmt: skip
