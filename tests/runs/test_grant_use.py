"""Which grants an agent uses, from its recorded calls."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from runs.grant_use import read_use
from runs.models import ToolCall
from tests.console.visits import page_of, sign_in, text_of
from tests.factories import AgentFactory
from tests.runs.company import ORDER, Company, proposes, says


def used(company: Company, days: int = 30) -> list[tuple[str, int, int]]:
    return [(use.grant.tool.name, use.calls, use.runs) for use in read_use([company.cast.agent], days)]


def test_grants_are_told_by_how_much_they_are_used(company: Company) -> None:
    for name in ("refund", "cancel"):
        company.add_tool(name)
    company.add_tool("book", grant="DENY", function="refund")
    orders = [{"order_id": f"A-{number}"} for number in range(3)]
    company.run(proposes(("refund", orders[0]), ("refund", orders[1])), says("Done."))
    company.run(proposes(("refund", orders[2]), ("book", ORDER)), says("Done."))
    assert used(company) == [("cancel", 0, 0), ("refund", 3, 2)]


def test_what_lies_further_back_does_not_count(company: Company) -> None:
    company.add_tool("refund")
    company.run(proposes(("refund", ORDER)), says("Done."))
    company.is_mutant = True  # the row is moved, and its ledger is not
    ToolCall.objects.update(proposed_at=timezone.now() - timedelta(days=31))
    assert used(company) == [("refund", 0, 0)]
    assert used(company, days=40) == [("refund", 1, 1)]


def test_what_another_agent_does_does_not_count(company: Company) -> None:
    company.add_tool("refund")
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    type(run).objects.filter(pk=run.pk).update(
        identity=AgentFactory.create(team=company.cast.team, slug="other")
    )
    assert used(company) == [("refund", 0, 0)]


def test_the_agents_page_shows_what_is_unused(company: Company) -> None:
    company.add_tool("refund")
    page = page_of("identities_agentidentity", "change", company.cast.agent.pk)
    assert "refund unused 0 never" in text_of(sign_in(company.cast.bob).get(page))
    company.run(proposes(("refund", ORDER)), says("Done."))
    assert "refund 1 1 just now" in text_of(sign_in(company.cast.bob).get(page))
