"""A model without a price is not asked; a price of zero is a price; a new price counts from the next call on."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest

from agentops.fresh import Fresh
from runs import versions
from runs.models import Price, Step
from runs.planner import prices
from runs.pricing import set_price
from tests.budget.books import find_leaks
from tests.factories import BudgetFactory, PriceFactory
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.planner.provider import Conversation, Turn

pytestmark = pytest.mark.budget


def priced(model: str, version: str, rate: str) -> prices.Price:
    return prices.Price(model, version, *[Decimal(rate)] * 4)


def meanwhile(happens: Callable[[], object], turn: Turn) -> Turn:
    """Let something happen while the model thinks."""

    def play(conversation: Conversation) -> None:
        happens()
        turn(conversation)

    return play


def test_a_model_without_a_price_is_not_asked(company: Company, books: psycopg.Connection) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal(1))
    company.publish(price=False)
    run = company.run(says("Hello."))
    assert (run.state, run.status_reason, run.tokens, run.steps) == ("halted", "budget_reached", 0, 0)
    exhausted = company.facts(run, "budget.exhausted")[0]
    assert (exhausted["limit"], exhausted["needed"]) == (
        "price",
        f"nobody has said what {company.model} costs",
    )
    assert company.asked() == []
    assert find_leaks(books) == []


def test_a_price_that_is_taken_away_blocks_the_next_call(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_prices", Fresh(0))
    company.add_tool("refund")
    company.publish()

    def withdraw() -> None:
        from django.db import connection

        Price.objects.filter(model=company.model).update(active=False)
        connection.close()

    run = company.run(meanwhile(withdraw, proposes(("refund", ORDER))), says("Never."))
    assert (run.state, run.status_reason, len(company.asked())) == ("halted", "budget_reached", 1)
    ending = company.content(run, "run.halted")
    assert ending["done"] == ["1 × refund"], "what was decided before is carried out"


def test_a_price_of_zero_is_a_price(company: Company, books: psycopg.Connection) -> None:
    BudgetFactory.create(team=company.cast.team, max_usd=Decimal("0.00000001"))
    company.publish(price=False, max_usd=Decimal(0))
    PriceFactory.create(model=company.model, input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
    run = company.run(says("Hello."))
    assert (run.state, run.tokens, run.usd) == ("completed", 120, Decimal(0))
    assert company.facts(run, "model.requested")[0]["reserved_usd"] == "0.00"
    assert company.facts(run, "step.decided")[0]["usd"] == "0.00"
    assert find_leaks(books) == []


def test_a_new_price_counts_from_the_next_call_on_and_the_trace_says_so(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "_prices", Fresh(0))
    company.add_reads()
    company.publish(price=False)
    ada = company.cast.ada
    set_price(actor=ada, price=priced(company.model, "old", "1"))

    def raise_price() -> None:
        from django.db import connection

        set_price(actor=ada, price=priced(company.model, "new", "10"))
        connection.close()

    run = company.run(meanwhile(raise_price, proposes(("look_up", ORDER))), says("Hello."))
    assert run.state == "completed"
    # 120 tokens each: the call during which the price rose was reserved and is settled at the old one.
    told = [(facts["price_version"], Decimal(facts["usd"])) for facts in company.facts(run, "step.decided")]
    assert told == [("old", Decimal("0.00012")), ("new", Decimal("0.0012"))]
    assert [facts["price_version"] for facts in company.facts(run, "model.requested")] == ["old", "new"]
    assert [
        (step.price_version, step.usd) for step in Step.objects.filter(run=run).order_by("number")
    ] == told
    assert run.usd == Decimal("0.00132")


def test_a_price_is_looked_up_again_after_some_seconds(company: Company) -> None:
    """Between two look-ups a process may charge the old price, and says so; never a price that nobody set."""
    assert 0 < versions.PRICE_TTL_S <= 10
    PriceFactory.create(model=company.model, version="old")
    assert versions.read_price(company.model).version == "old"
    set_price(actor=company.cast.ada, price=priced(company.model, "new", "10"))
    assert versions.read_price(company.model).version == "old"
    versions._prices.expire(company.model)
    assert versions.read_price(company.model).version == "new"


def test_the_dearest_input_rate_is_reserved(company: Company) -> None:
    """What a cache write costs is known when the provider has answered: reserved is the dearest."""
    company.publish(price=False)
    PriceFactory.create(
        model=company.model,
        input_usd_per_mtok=Decimal(1),
        output_usd_per_mtok=Decimal(2),
        cache_write_usd_per_mtok=Decimal(50),
    )
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 20,
        "total_tokens": 1020,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 1000},
    }
    run = company.run(says("Hello.", usage=usage))
    requested = company.facts(run, "model.requested")[0]
    prompt = requested["reserved_tokens"] - requested["max_completion_tokens"]
    assert Decimal(requested["reserved_usd"]) == Decimal(
        prompt * 50 + requested["max_completion_tokens"] * 2
    ) / Decimal(1_000_000)
    assert run.usd == Decimal("0.05004")
