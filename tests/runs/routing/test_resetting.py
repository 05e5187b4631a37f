"""The breaker of a model on the page of its price: seen by the staff, closed by a superuser."""

from __future__ import annotations

import pytest

from runs.routing.breakers import look_at
from runs.routing.providers import find_target
from tests.cast import Cast
from tests.console.visits import act, page_of, sign_in, text_of
from tests.factories import PriceFactory
from tests.ledger import kinds_of, last_entry
from tests.runs.routing.tiers import BIG, trip

PRICE = "runs_price"


def test_a_superuser_has_a_model_asked_again(cast: Cast) -> None:
    price = PriceFactory.create(model=BIG)
    trip(BIG)
    client = sign_in(cast.ada)
    assert "open until" in text_of(client.get(page_of(PRICE, "change", price.pk)))
    act(client, PRICE, "close_circuit", price.pk)
    assert look_at(find_target(BIG)).state == "closed"
    assert kinds_of(price.pk) == ["model_breaker.reset"]
    assert last_entry(price.pk).facts == {"model": BIG, "provider": "default"}
    assert "closed; 0 of 0 calls failed lately (default)" in text_of(
        client.get(page_of(PRICE, "change", price.pk))
    )


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_others_see_it_and_change_nothing(cast: Cast, name: str) -> None:
    price = PriceFactory.create(model=BIG)
    trip(BIG)
    client = sign_in(getattr(cast, name))
    page = client.get(page_of(PRICE, "change", price.pk))
    assert "open until" in text_of(page)
    assert 'value="close_circuit"' not in page.content.decode()
    act(client, PRICE, "close_circuit", price.pk)
    assert look_at(find_target(BIG)).state == "open"
    assert kinds_of(price.pk) == []
