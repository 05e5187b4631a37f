"""Prices and budgets of a document."""

from __future__ import annotations

import pytest

from agentops.errors import ValidationFailed
from identities.models import User
from runs.models import Price
from tests.runs.provisioning.document import apply, changed, edited

pytestmark = [pytest.mark.setup, pytest.mark.slow]


def test_a_budget_keeps_one_ceiling_at_least(ada: User) -> None:
    apply(ada)
    with pytest.raises(ValidationFailed, match="budgets/0: "):
        apply(ada, edited(lambda document: document["budgets"][0].update(max_usd=None)))


def test_public_price_of_a_model(ada: User) -> None:
    text = "format: agentops/1\nprices: {gpt-5-mini: {source: genai-prices}}"

    assert changed(apply(ada, text)) == {"price gpt-5-mini": "create"}
    assert apply(ada, text).is_empty
    price = Price.objects.get(model="gpt-5-mini")
    assert price.input_usd_per_mtok > 0
    assert price.version.startswith("genai-prices ")


def test_price_is_never_edited(ada: User) -> None:
    apply(ada)
    text = edited(lambda d: d["prices"]["little-model"].update(output_usd_per_mtok="9.00"))
    with pytest.raises(ValidationFailed, match="price_version_reused"):
        apply(ada, text)


def test_earlier_price_comes_back_under_its_version(ada: User) -> None:
    apply(ada)
    later = edited(lambda d: d["prices"]["little-model"].update(version="2", output_usd_per_mtok="0.50"))
    apply(ada, later)
    apply(ada)

    assert Price.objects.get(model="little-model", active=True).version == "1"
    assert Price.objects.filter(model="little-model").count() == 2
