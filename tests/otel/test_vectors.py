"""What is told and counted of a call for a vector: a span of its own, and a model call like any."""

from __future__ import annotations

import pytest
from django.utils import timezone
from pytest_django import Settings

from agentops.engine import events as e
from runs.memory.meaning import making
from runs.models import Run
from runs.tasks import count, export_spans
from tests.otel.receiver import Receiver
from tests.otel.test_metrics import TOKEN, named
from tests.runs.company import Company
from tests.runs.memory.conftest import desk
from tests.runs.memory.desk import later, note
from tests.runs.memory.meaning.conftest import MODEL, clever
from tests.runs.planner.provider import reply

__all__ = ["clever", "desk"]
pytestmark = [pytest.mark.otel, pytest.mark.slow]


def recall(clever: Company) -> Run:
    note(clever, "Has a dog.")
    making.make_vectors(timezone.now())
    return later(clever)


def test_it_is_the_span_that_went_out_with_it(clever: Company, receiver: Receiver) -> None:
    run = recall(clever)
    export_spans()
    (span,) = receiver.named("embeddings ")
    [made] = clever.facts(run, e.EMBEDDING_MADE)
    sent = clever.provider.embedded[-1].headers["traceparent"].split("-")
    assert (span.name, span.kind, [span.trace_id, span.span_id]) == (
        f"embeddings {MODEL}",
        "client",
        sent[1:3],
    )
    told = span.attributes
    assert (told["gen_ai.operation.name"], told["gen_ai.request.model"]) == ("embeddings", MODEL)
    assert told["gen_ai.usage.input_tokens"] == made["tokens"]
    assert told["gen_ai.embeddings.dimension.count"] == 257
    assert told["agentops.cost.usd"] == pytest.approx(float(made["usd"]))
    assert not span.is_error


def test_one_that_failed_is_an_error(clever: Company, receiver: Receiver) -> None:
    note(clever, "Has a dog.")
    making.make_vectors(timezone.now())
    clever.provider.embed = reply({"error": {}}, 404)
    later(clever)
    export_spans()
    (span,) = receiver.named("embeddings ")
    assert (span.is_error, span.attributes["error.type"]) == (True, "planner_rejected")


def test_it_is_counted_by_its_own_name(clever: Company, settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN
    run = recall(clever)
    count()
    [made] = clever.facts(run, e.EMBEDDING_MADE)
    assert named("gen_ai_client_inference_duration_seconds_count")["", "embeddings", MODEL] == 1
    assert named("gen_ai_client_inference_usage_tokens_total")[MODEL, "input"] == made["tokens"]
    assert named("agentops_model_cost_usd_total")[MODEL,] == pytest.approx(float(made["usd"]))
