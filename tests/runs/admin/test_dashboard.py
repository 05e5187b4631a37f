"""Every number counts what its viewer may see, and costs the same however much there is."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from approvals.models import ReviewCapacity
from runs.models import BudgetWindow, Handover
from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.factories import (
    AgentVersionFactory,
    ApprovalRequestFactory,
    BudgetFactory,
    PriceFactory,
    PrincipalFactory,
    RunFactory,
    ToolFactory,
)
from tests.runs.company import Company
from tests.runs.test_indicators import complete, look, version

pytestmark = [pytest.mark.console, pytest.mark.slow]


class TestDashboard:
    def test_every_number_counts_what_the_viewer_may_see(self, company: Company, cast: Cast) -> None:
        version = company.publish()
        principal = PrincipalFactory.create(team=cast.team)
        for state, usd in (("in_progress", "0.5"), ("failed", "1.25"), ("completed", "2")):
            RunFactory.create(agent_version=version, principal=principal, state=state, usd=Decimal(usd))
        parked = [{"type": "outcome", "step": 1, "call": 1}]
        RunFactory.create(
            agent_version=version, principal=principal, state="requires_action", required_actions=parked
        )
        RunFactory.create(
            agent_version=version, principal=principal, state="cancelled", required_actions=parked
        )
        ApprovalRequestFactory.create(identity=cast.agent, principal=principal)
        tool = ToolFactory.create(team=cast.team, name="stopped_tool")
        tool.forced_open_at, tool.forced_open_by = timezone.now(), cast.alice
        tool.save()
        budget = BudgetFactory.create(team=cast.team, max_usd=Decimal(10))
        midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        BudgetWindow.objects.create(budget=budget, starts_at=midnight, committed_usd=Decimal("7.5"))

        page = text_of(sign_in(cast.bob).get("/admin/"))
        for words in ("1 waiting for a decision", "2 runs going 1 wait for people", "3 broken today of 5 started",
                      "3.75 USD spent today", "1 open breakers", "today 7.50 of 10.00 USD", "stopped_tool",
                      "did a call happen?"):  # fmt: skip
            assert words in page

        outside = text_of(sign_in(cast.charlie).get("/admin/"))
        for words in (
            "0 waiting for a decision",
            "0 runs going",
            "0 broken today of 0 started",
            "0 open breakers",
        ):
            assert words in outside
        assert "stopped_tool" not in outside

    def test_every_number_leads_to_just_its_rows(self, cast: Cast) -> None:
        client = sign_in(cast.bob)
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        parked = [{"type": "outcome", "step": 1, "call": 1}]
        for state, needs in (
            ("failed", []),
            ("completed", []),
            ("requires_action", parked),
            ("halted", parked),
        ):
            RunFactory.create(agent_version=version, state=state, required_actions=needs)
        tool = ToolFactory.create(team=cast.team, forced_open_at=timezone.now(), forced_open_by=cast.alice)
        ToolFactory.create(team=cast.team)
        panels = client.get("/admin/").context["panels"]
        figures = {figure.label: figure for figure in panels[0].context["figures"]}
        shown = {label: client.get(figure.url).context for label, figure in figures.items()}
        assert figures["broken today"].value == "3"
        for label in ("runs going", "broken today", "open breakers"):
            assert shown[label]["cl"].result_count == int(figures[label].value), label
        assert list(shown["open breakers"]["cl"].result_list) == [tool]
        assert shown["spent today"]["cl"].result_count == 4
        for label in ("waiting for a decision", "handed over"):
            assert client.get(figures[label].url).status_code == 200

    def test_each_number_beside_another_leads_to_rows_of_its_own(self, cast: Cast) -> None:
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        for state in ("in_progress", "requires_action", "requires_action", "completed", "failed"):
            RunFactory.create(agent_version=version, state=state)
        client = sign_in(cast.bob)
        page = client.get("/admin/").content.decode()
        links = re.findall(r'<a class="beside" href="([^"]*)"><small>([^<]*)</small></a>', page)
        assert [words for _, words in links] == ["2 wait for people", "of 5 started"]
        for address, words in links:
            (number,) = re.findall(r"\d+", words)
            assert client.get(html.unescape(address)).context["cl"].result_count == int(number), words

    def test_numbers_of_a_week_lead_to_that_weeks_runs_and_lines_to_their_numbers(self, cast: Cast) -> None:
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        RunFactory.create(agent_version=version, state="completed", usd=Decimal("1.5"), steps=3)
        client = sign_in(cast.bob)
        page = client.get("/admin/").content.decode()
        links = re.findall(r'href="(/admin/runs/run/\?agent_version=[^"]*)">(\d+)<', page)
        assert len(links) == 3
        for address, number in links:
            assert "created_at__gte=" in address
            assert client.get(html.unescape(address)).context["cl"].result_count == int(number)
        assert re.findall(r'<td class="number">(1.50 ?|3.0)</td>', page) == ["1.50", "3.0"]

    def test_it_costs_the_same_however_much_there_is(self, cast: Cast) -> None:
        client = sign_in(cast.bob)
        version = AgentVersionFactory.create(identity=cast.agent, published=True)
        principal = PrincipalFactory.create(team=cast.team)

        def fill(number: int) -> None:
            for _ in range(number):
                run = RunFactory.create(agent_version=version, principal=principal, state="failed")
                going = RunFactory.create(agent_version=version, principal=principal, state="requires_action")
                Handover.objects.create(
                    run=going, step=1, call=1, opened_at=timezone.now() - timedelta(hours=1)
                )
                ApprovalRequestFactory.create(
                    identity=cast.agent, principal=principal, subject_ref=str(run.pk)
                )

        fill(1)
        one = count_queries(client, "/admin/")
        fill(9)
        assert count_queries(client, "/admin/") == one


def test_it_stays_within_its_statements_with_every_panel_at_work(cast: Cast) -> None:
    version = AgentVersionFactory.create(identity=cast.agent, published=True)
    run = RunFactory.create(agent_version=version, state="requires_action")
    Handover.objects.create(run=run, step=1, call=1, opened_at=timezone.now())
    ApprovalRequestFactory.create(identity=cast.agent, principal=run.principal, subject_ref=str(run.pk))
    BudgetFactory.create(team=cast.team)
    ToolFactory.create(team=cast.team, forced_open_at=timezone.now(), forced_open_by=cast.ada)
    ReviewCapacity.objects.create(team=cast.team, per_approver_hour=1, set_by=cast.ada, set_at=timezone.now())
    client = sign_in(cast.bob)
    assert "Reviewers, fullest first" in text_of(client.get("/admin/"))
    assert count_queries(client, "/admin/") <= 30


def test_a_budgets_page_says_its_limits_and_what_is_used(cast: Cast) -> None:
    budget = BudgetFactory.create(team=cast.team, max_usd=Decimal(20), max_tokens=10_000_000, max_steps=None)
    for page in (page_of("runs_budget", "changelist"), page_of("runs_budget", "change", budget.pk)):
        text = text_of(sign_in(cast.bob).get(page))
        for words in ("0.00 USD committed today", "20.00 USD", "10,000,000"):
            assert words in text


def test_a_prices_page_says_what_tokens_cost(cast: Cast) -> None:
    price = PriceFactory.create(input_usd_per_mtok=Decimal("1.5"), output_usd_per_mtok=Decimal("12.000000"))
    for page in (page_of("runs_price", "changelist"), page_of("runs_price", "change", price.pk)):
        text = text_of(sign_in(cast.bob).get(page))
        for words in ("1.50 USD", "12.00 USD"):
            assert words in text


@pytest.mark.parametrize("model", ["runs_run", "runs_handover", "runs_agentversion", "runs_budget"])
def test_a_list_costs_the_same_however_long_it_is(cast: Cast, model: str) -> None:
    client = sign_in(cast.bob)
    principal = PrincipalFactory.create(team=cast.team)

    def fill(number: int) -> None:
        for _ in range(number):
            version = AgentVersionFactory.create(identity=cast.agent)
            run = RunFactory.create(agent_version=version, principal=principal)
            Handover.objects.create(run=run, step=1, call=1, opened_at=timezone.now())

    fill(1)
    one = count_queries(client, page_of(model, "changelist"))
    fill(7)
    assert count_queries(client, page_of(model, "changelist")) == one


def test_a_version_that_takes_more_than_the_one_before_is_marked(company: Company) -> None:
    first, second = version(company, 1, "retired"), version(company, 2, "published")
    complete(company, first, 25, "0.01", 3)
    complete(company, second, 25, "0.05", 9)
    client = sign_in(company.cast.alice)
    assert "dearer" not in text_of(client.get("/admin/"))
    look()
    page = client.get("/admin/")
    assert "dearer than v1 more steps than v1" in text_of(page)
    assert f"?agent_version={second.pk}&amp;state__exact=completed" in page.content.decode()
    listed = sign_in(company.cast.alice).get(
        f"/admin/runs/run/?agent_version={second.pk}&state__exact=completed"
    )
    assert listed.status_code == 200
