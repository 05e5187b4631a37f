"""What tiers save on the shared requests, by the platform's own books; the bench measures all of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from agentops.errors import NotFound
from runs.bench import retail
from runs.bench.routing import Models, ScriptedModel, measure_routing
from runs.models import Price, Run, Step
from runs.planner.messages import PlannerRequest
from tests.retail.dataset import needs_data

pytestmark = [pytest.mark.retail, pytest.mark.slow]
MODELS = Models("gpt-5", "gpt-5-mini")
FEW = 3


@needs_data
def test_the_small_model_carries_out_for_less(transactional_db: None) -> None:
    figures = measure_routing(MODELS, FEW)
    frontier, tiered = figures["all_frontier"], figures["tiered"]
    assert figures["requests"] == FEW
    assert list(frontier["models"]) == ["gpt-5"]
    assert tiered["models"]["gpt-5"]["calls"] == FEW, "one plan for each request"
    calls = [sum(each["calls"] for each in mode["models"].values()) for mode in (frontier, tiered)]
    assert calls[0] == calls[1] == sum(len(each["actions"]) + 1 for each in retail.load_requests()[:FEW])
    assert 0.2 < figures["ratio"] < 0.8
    assert frontier["models"]["gpt-5"]["cached_tokens"] > 0


@needs_data
def test_each_call_costs_what_its_tokens_do_at_the_price_that_it_names(transactional_db: None) -> None:
    measure_routing(MODELS, FEW)
    prices = {price.model: price for price in Price.objects.all()}
    cached = 0
    for step in Step.objects.filter(run__in=Run.objects.all()):
        price = prices[step.model]
        assert step.price_version == price.version
        assert price.cached_input_usd_per_mtok is not None
        cached += step.cached_tokens
        exact = (
            (step.input_tokens - step.cached_tokens) * price.input_usd_per_mtok
            + step.cached_tokens * price.cached_input_usd_per_mtok
            + step.output_tokens * price.output_usd_per_mtok
        ) / Decimal(10**6)
        assert 0 <= step.usd - exact < Decimal("1e-8")
    assert cached > 0


def test_without_the_data_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retail, "FOLDER", tmp_path)
    retail.load_requests.cache_clear()
    with pytest.raises(NotFound, match="beside this checkout"):
        measure_routing(MODELS)


def test_what_another_model_was_shown_is_in_no_cache() -> None:
    model = ScriptedModel({"1": [{"name": "look", "arguments": {}}] * 3}, cold=True)
    long = {"role": "user", "content": f"{'word ' * 2_000}[request 1]"}

    def ask(name: str, turns: int) -> int:
        said = tuple({"role": "assistant", "content": "."} for _ in range(turns))
        request = PlannerRequest(
            model=name,
            messages=({"role": "system", "content": "Help."}, long, *said),
            tools=(),
            max_completion_tokens=100,
            timeout_s=1.0,
            traceparent="",
            temperature=None,
        )
        usage = model.ask(request).usage
        assert usage is not None
        return usage.cached_input_tokens

    assert ask("large", 0) == 0
    assert ask("small", 1) == 0
    assert ask("small", 2) == ask("large", 2) > 1024
