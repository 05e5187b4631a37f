"""Review capacity in the console: set, lifted, and how things stand."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from approvals.capacity import set_review_capacity
from approvals.models import ReviewCapacity
from identities.models import Team
from runs.admin import capacity
from runs.models import Handover
from runs.reviewing import Reviewing
from tests.console.visits import Page, page_of, sign_in, text_of
from tests.factories import ApprovalRequestFactory
from tests.runs.company import Company, proposes

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


def test_each_number_of_the_reviewers_leads_to_its_rows_and_to_no_other_teams(company: Company) -> None:
    client = sign_in(company.cast.ada)  # who sees every team's
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=1)
    mine = [ApprovalRequestFactory.create(identity=company.cast.agent, tool_version=refund) for _ in range(3)]
    other = ApprovalRequestFactory.create(identity__team=company.cast.other_team)
    run = company.drive(company.start())
    page = client.get("/admin/").content.decode()
    (waiting,) = re.findall(r'<a href="([^"]*team=support[^"]*)"><strong>3</strong></a>', page)
    shown = client.get(unescape(waiting)).content.decode()
    assert all(f'data-request="{each.pk}"' in shown for each in mine)
    assert f'data-request="{other.pk}"' not in shown
    (held,) = re.findall(r'href="([^"]*)">1 normal held back</a>', page)
    assert [row.pk for row in client.get(unescape(held)).context["cl"].result_list] == [run.pk]
    assert f"team__id__exact={company.cast.team.pk}" in held


def test_what_waits_is_shown_by_team_where_nobody_is_bounded_too(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    company.let_decide(refund.tool)
    mine = [ApprovalRequestFactory.create(identity=company.cast.agent, tool_version=refund) for _ in range(3)]
    ApprovalRequestFactory.create(identity__team=company.cast.other_team)
    client = sign_in(company.cast.alice)
    assert "3 wait for 1 person" in text_of(client.get("/admin/"))
    page = client.get("/admin/").content.decode()
    ((waiting, number),) = re.findall(r'<a href="([^"]*tab=waiting[^"]*team=[^"]*)"><strong>(\d+)<', page)
    shown = client.get(unescape(waiting)).content.decode()
    assert set(re.findall(r'data-request="([^"]+)"', shown)) == {str(each.pk) for each in mine}
    assert int(number) == len(mine)
    everybody = text_of(sign_in(company.cast.ada).get("/admin/"))
    assert "1 wait for 0 people" in everybody
    monkeypatch.setattr(capacity, "read_waiting", lambda teams: [])
    assert "wait for 1 person" not in text_of(client.get("/admin/")), "the mutant does not say it"


def test_who_is_bounded_comes_before_who_is_not_and_who_has_nothing_to_do_last(company: Company) -> None:
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    set_review_capacity(actor=company.cast.ada, team=company.cast.team, per_approver_hour=1)
    client = sign_in(company.cast.ada)
    ApprovalRequestFactory.create(identity__team=company.cast.other_team)
    assert order_of(client) == [company.cast.other_team, company.cast.team]
    ApprovalRequestFactory.create(identity=company.cast.agent, tool_version=refund)
    assert order_of(client) == [company.cast.team, company.cast.other_team]


def order_of(client: Client) -> list[Team]:
    panels = [each.context.get("rows") or () for each in client.get("/admin/").context["panels"]]
    return [row.team for rows in panels for row in rows if isinstance(row, Reviewing)]


def test_the_figures_of_what_waits_lead_to_as_many(company: Company) -> None:
    client = sign_in(company.cast.alice)
    refund = company.add_tool("refund", grant="REQUIRE_APPROVAL")
    for _ in range(3):
        ApprovalRequestFactory.create(identity=company.cast.agent, tool_version=refund)
    company.run(proposes(("hand_over", {"reason": "They want a discount."})))
    figures = {
        figure.label: figure for figure in client.get("/admin/").context["panels"][0].context["figures"]
    }
    waiting = client.get(figures["waiting for a decision"].url).content.decode()
    assert figures["waiting for a decision"].value == "3"
    assert len(set(re.findall(r'data-request="([^"]+)"', waiting))) == 3
    assert figures["handed over"].value == "1"
    (handover,) = Handover.objects.all()
    handed_over = client.get(figures["handed over"].url).content.decode()
    assert str(handover.pk) in handed_over
