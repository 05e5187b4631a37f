"""Review capacity in the console: set, lifted, and how things stand."""

from __future__ import annotations

import pytest
from django.test import Client

from approvals.capacity import set_review_capacity
from approvals.models import ReviewCapacity
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory
from tests.runs.company import Company

pytestmark = [pytest.mark.console, pytest.mark.slow]

MODEL = "approvals_reviewcapacity"


def send(client: Client, company: Company, number: str = "20") -> Page:
    form = {"team": str(company.cast.team.pk), "per_approver_hour": number}
    return client.post(page_of(MODEL, "add"), form)


def lift(client: Client, company: Company, **more: str) -> Page:
    chosen = {"action": "lift", "_selected_action": str(company.cast.team.pk), **more}
    return client.post(page_of(MODEL, "changelist"), chosen)


def test_the_form_sets_it_and_the_page_says_how_things_stand(company: Company) -> None:
    client = sign_in(company.cast.alice)
    page = send(client, company)
    row = ReviewCapacity.objects.get()
    assert page["Location"] == page_of(MODEL, "change", row.pk)
    assert (row.per_approver_hour, row.set_by) == (20, company.cast.alice)
    assert "20 decisions an hour" in text_of(client.get(page["Location"]))


def test_nonsense_is_refused_at_the_form(company: Company) -> None:
    client = sign_in(company.cast.alice)
    for number in ("0", "-1", "1001", "many", ""):
        assert send(client, company, number).status_code == 422
    assert not ReviewCapacity.objects.exists()


def test_who_may_not_changes_nothing(company: Company) -> None:
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=5)
    for person in (company.cast.bob, company.cast.charlie):
        client = sign_in(person)
        send(client, company)
        lift(client, company, confirmed="yes")
        assert ReviewCapacity.objects.get().per_approver_hour == 5
    charlie = sign_in(company.cast.charlie)
    assert charlie.get(page_of(MODEL, "change", company.cast.team.pk)).status_code == 302


def test_it_is_lifted(company: Company) -> None:
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=5)
    client = sign_in(company.cast.alice)
    assert "however much waits" in text_of(lift(client, company))
    assert ReviewCapacity.objects.exists()
    lift(client, company, confirmed="yes")
    assert not ReviewCapacity.objects.exists()


def test_the_dashboard_says_who_has_too_much_before_them(company: Company) -> None:
    client = sign_in(company.cast.alice)
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    assert "Reviewers" not in text_of(client.get("/admin/"))
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=1)
    for _ in range(3):
        ApprovalRequestFactory.create(identity=company.cast.agent, tool_version=refund)
    run = company.drive(company.start())
    assert run.status_reason == "review_capacity"
    page = text_of(client.get("/admin/"))
    assert "3 wait, of 1 an hour by 1 person" in page
    assert "1 normal held back" in page
    assert "waits to begin" in text_of(client.get(page_of("runs_run", "change", run.pk)))
    chosen = "?status_reason=review_capacity&state__exact=queued"
    assert str(run.pk) in client.get(page_of("runs_run", "changelist") + chosen).content.decode()
