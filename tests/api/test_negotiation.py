from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from runs.models import Run
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import RunFactory

JSON, STREAM = "application/json", "text/event-stream; charset=utf-8"


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(agent_version__identity=cast.agent, application=cast.application)
    with transaction.atomic():
        record(made.pk, "run", Draft("run.started", timezone.now(), {}))
    return made


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "*",
        "application/*",
        "application/json",
        "APPLICATION/JSON; Q=0.001",
        "application/json;charset=utf-8",
        "text/html, image/gif, *; q=.2, */*; q=.2",
        'text/plain;x="a,b;q=0", application/json',
        "*/*;q=0, application/json",
        "nonsense, application/json",
    ],
)
def test_json_is_given_to_whoever_takes_it(callers: Callers, accept: str) -> None:
    answer = callers.bob.get("/runs", Accept=accept)
    assert (answer.status, answer.headers["Content-Type"]) == (200, JSON)


@pytest.mark.parametrize(
    "accept",
    [
        "application/json;q=0",
        "application/json; q=0.000",
        "*/*;q=0",
        "application/*;q=0",
        "application/json;q=0, */*",
        "application/*;q=0, */*;q=0.5",
        "text/html",
        "application/json;q=nonsense",
        "application/json;q=2",
        "application",
        'text/plain;x="application/json, application/json',
        pytest.param("text/html," * 1_000 + "application/json", id="endless"),
    ],
)
def test_what_is_excluded_is_not_given(callers: Callers, accept: str) -> None:
    answer = callers.bob.get("/runs", Accept=accept)
    assert (answer.status, answer.code) == (406, "not_acceptable")


def test_nothing_is_done_for_who_takes_no_answer(callers: Callers, cast: Cast) -> None:
    body = {"agent": cast.agent.slug, "message": "Hello."}
    answer = callers.bob.post("/runs", body, key="k", Accept="application/json;q=0")
    assert (answer.status, answer.code) == (406, "not_acceptable")
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("text/event-stream", STREAM),
        ("text/event-stream, */*", STREAM),
        ("text/*, application/json;q=0.9", STREAM),
        ("text/event-stream;q=0.5, application/json;q=0.4", STREAM),
        ("application/json;q=0, */*", STREAM),
        ("text/event-stream;q=0.4, application/json;q=0.5", JSON),
        ("text/event-stream;q=0, */*", JSON),
        ("application/json, text/event-stream", JSON),
        ("*/*", JSON),
        ("text/event-stream;q=0, application/json;q=0, */*", "application/problem+json"),
    ],
)
def test_events_come_as_the_caller_prefers_them(callers: Callers, run: Run, accept: str, given: str) -> None:
    answer = callers.bob.send("HEAD", f"/runs/{run.pk}/events", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == given
    assert answer.status == (406 if given.startswith("application/problem") else 200)
