"""The scripted planner's vectors as the real client sees them, and ours reads them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from agentops.demo.planner.app import build_app
from agentops.demo.planner.vectors import DIMENSION, embed
from runs.planner.answers import Embedded, PlannerFailure
from runs.planner.client import close_clients
from runs.planner.embeddings import Embedder, EmbeddingRequest, bound_tokens
from tests.demo.servers import running


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(build_app({})) as address:
        yield address
    close_clients()


def ask(
    address: str, text: str, model: str = "embed-1", timeout_s: float = 20.0
) -> Embedded | PlannerFailure:
    embedder = Embedder(base_url=f"{address}/v1", api_key="none")
    return embedder.ask(EmbeddingRequest(model, text, timeout_s, {}))


def nearness(one: str, other: str) -> float:
    return sum(a * b for a, b in zip(embed(one), embed(other), strict=True))


def test_the_real_client_reads_them(address: str) -> None:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:
        answer = client.embeddings.create(model="any", input=["A dog.", "Ein Hund."], encoding_format="float")
    assert [len(each.embedding) for each in answer.data] == [DIMENSION + 1] * 2
    assert answer.data[0].embedding == embed("A dog.")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (5, 5)


def test_ours_reads_what_it_costs(address: str) -> None:
    answer = ask(address, "A dog that barks.")
    assert isinstance(answer, Embedded)
    assert answer.vector == pytest.approx(embed("A dog that barks."))
    assert answer.usage is not None
    assert 0 < answer.usage.input_tokens <= bound_tokens("A dog that barks.")


def test_the_same_text_has_the_same_vector_in_every_process() -> None:
    told = "from agentops.demo.planner.vectors import embed; print(embed('A dog.'))"
    other = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == str(embed("A dog."))


def test_what_shares_words_or_stems_is_near_and_nothing_else() -> None:
    assert nearness("She wants refunds.", "She wants refunds.") == pytest.approx(1)
    assert nearness("She wants refunds.", "One refund, she asks.") > 0.2
    assert nearness("She wants refunds.", "Blue bicycles") < 0.1
    assert nearness("", "...") == pytest.approx(1), "without words all point the same way"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 503}, "planner_unavailable"),
        ({"garbage": "json"}, "planner_invalid_answer"),
        ({"drop": True}, "planner_connection_lost"),
        ({"empty": True}, "planner_invalid_answer"),
        ({"hang": True}, "planner_timeout"),
    ],
)
def test_faults_are_played_on_demand(address: str, fault: dict[str, Any], code: str) -> None:
    model = f"faulty-{code}-{next(iter(fault))}"
    script = {"match": {"model": model}, "turns": [{**fault, "times": 1}]}
    assert httpx2.put(f"{address}/scripts/{model}", json=script).status_code == 200
    failed = ask(address, "A dog.", model, timeout_s=0.5 if "hang" in fault else 20.0)
    assert isinstance(failed, PlannerFailure)
    assert failed.code == code
    assert isinstance(ask(address, "A dog.", model), Embedded), "it was to fail once"


@pytest.mark.parametrize(
    "body",
    [
        [], {}, {"model": "m"}, {"model": "m", "input": []}, {"model": "m", "input": [""]}, {"model": "", "input": "x"},
        {"model": "m", "input": [1]}, {"model": "m", "input": "x", "encoding_format": "base64"},
    ],
)  # fmt: skip
def test_what_the_api_would_refuse_is_refused(address: str, body: object) -> None:
    assert httpx2.post(f"{address}/v1/embeddings", json=body).status_code == 400
