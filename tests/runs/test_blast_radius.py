"""What an agent could do at worst, as read from what stands."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from runs.blast_radius import read_blast_radius
from runs.models import Budget
from tests.api.conftest import Callers, callers, keys
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.runs.company import Company
from tools.models import Tool

__all__ = ["callers", "keys"]  # of the API


def furnish(company: Company) -> None:
    company.add_tool(
        "refund",
        effect="irreversible",
        grant="REQUIRE_APPROVAL",
        grant_caps=[{"per": "call", "amount": "500.00"}, {"per": "day", "count": 4}],
        amount_argument="amount",
        currency="USD",
    )
    company.let_decide(Tool.objects.get(name="refund"))
    company.add_reads()
    company.add_tool("book", grant="DENY", function="refund")
    company.add_tool("ended", function="refund", grant_valid_until=timezone.now() - timedelta(days=1))
    cast = company.cast
    for identity, usd in ((cast.agent, "20"), (None, "5")):
        Budget.objects.create(team=cast.team, identity=identity, window="day", max_usd=Decimal(usd))


def test_what_stands_is_read(company: Company) -> None:
    furnish(company)
    company.publish(max_usd=Decimal(2))
    company.add_tool("cancel", effect="reversible", config={"credential": "shop-key"})

    radius = read_blast_radius(company.cast.agent)
    found = {reach.terms.tool: reach for reach in radius.tools}
    assert list(found) == ["cancel", "look_up", "refund"]
    assert [found[name].terms.offered for name in found] == [False, True, True]
    assert found["refund"].terms.approvers == ("fiona",)
    assert found["refund"].at_most.amount["day"] == Decimal(2000)
    assert (radius.models["run"], radius.models["day"]) == (Decimal(2), Decimal(5))
    assert radius.secrets == ["shop-key"]


def test_a_waiver_counts_for_its_own_version_until_its_end(company: Company) -> None:
    tool = company.add_tool("refund", effect="irreversible", grant=None)
    cast = company.cast
    waiver = {"waived_by": cast.bob, "countersigned_by": cast.ada, "waiver_reason": "small"}
    cases = ((tool.digest, 1, "nobody"), (tool.digest, -1, "every_time"), ("f" * 64, 1, "every_time"))
    for digest, days, asks in cases:
        end = timezone.now() + timedelta(days=days)
        company.grant(
            tool.tool, "ALLOW_WITH_CAPS", waived_version_digest=digest, waiver_expires_at=end, **waiver
        )
        assert read_blast_radius(cast.agent).tools[0].asks == asks


def test_the_page_says_it_in_words(company: Company) -> None:
    furnish(company)
    client = sign_in(company.cast.bob)
    page = page_of("identities_agentidentity", "change", company.cast.agent.pk)
    shown = text_of(client.get(page))
    assert "cannot be undone every time: fiona nothing 500.00 USD no ceiling" in shown
    assert "4 calls, 2,000.00 USD 124 calls, 62,000.00 USD" in shown
    assert "USD a day at most 2,000.00 USD , of that without anybody's word 0.00 USD" in shown
    before = count_queries(client, page)
    for number in range(3):
        company.add_tool(f"more_{number}", function="refund")
    assert count_queries(client, page) == before


def test_the_api_tells_people_of_the_team_only(callers: Callers, company: Company) -> None:
    furnish(company)
    path = f"/agents/{company.cast.agent.pk}/blast-radius"
    body = callers.bob.get(path).body
    refund = next(each for each in body["tools"] if each["tool"] == "refund")
    assert refund["alone"]["calls"] == {"call": 0, "run": 0, "hour": 0, "day": 0, "month": 0}
    assert refund["at_most"]["amount"]["day"] == "2000.00"
    assert refund["at_most"]["calls"]["run"] is None
    assert body["models"]["day"] == "5.00000000"
    for who in (callers.charlie, callers.app):
        assert who.get(path).code == "unknown_agent"
