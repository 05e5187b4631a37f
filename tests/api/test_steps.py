"""What a run really did, as steps and as a trace."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentops.ledger.store import erase_contents
from runs.models import Run
from runs.trace import read_trace
from tests.api.conftest import Callers
from tests.runs.company import ORDER, Company, proposes, says
from tests.runs.deeds import busy, meanwhile, refuse


@pytest.fixture
def run(company: Company) -> Run:
    company.add_reads()
    company.add_tool("refund")
    company.world.mishaps.extend([busy, meanwhile(lambda: None), refuse])
    return company.run(
        proposes(("look_up", ORDER), ("nonsense", {}), text="I look it up."),
        proposes(("refund", {**ORDER, "amount": "5.00"})),
        says("I could not refund it."),
        message="canary-words",
    )


def test_steps_tell_what_was_decided_and_what_came_of_it(callers: Callers, run: Run) -> None:
    first, second, third = callers.app.get(f"/runs/{run.pk}/steps").body["data"]
    assert [step["step"] for step in (first, second, third)] == [1, 2, 3]
    assert (first["state"], first["text"], first["model"][:6]) == ("decided", "I look it up.", "model-")
    assert first["usage"]["input_tokens"] > 0
    assert Decimal(first["usage"]["usd"]) > 0
    looked_up, unknown = first["calls"]
    assert (looked_up["tool"], looked_up["state"], looked_up["effect"]) == ("look_up", "succeeded", "read")
    assert looked_up["arguments"] == ORDER
    assert looked_up["attempts"] == 2  # the first one found the tool busy
    assert looked_up["outcome"]["value"] == {"order": "A-1", "status": "delivered"}
    assert looked_up["idempotency_key"] == f"{run.pk}:1:look_up:1"
    assert (unknown["state"], unknown["code"]) == ("refused", "not_allow_listed")
    (refused,) = second["calls"]
    assert (refused["state"], refused["code"]) == ("failed", "not_refundable")
    assert refused["arguments"]["amount"] == "5.00"
    assert "too old" in str(refused["outcome"])
    assert third["calls"] == []


def test_steps_come_in_pages(callers: Callers, run: Run) -> None:
    first = callers.app.get(f"/runs/{run.pk}/steps?limit=2").body
    second = callers.app.get(f"/runs/{run.pk}/steps?limit=2&cursor={first['next_cursor']}").body
    assert [step["step"] for step in first["data"]] == [1, 2]
    assert ([step["step"] for step in second["data"]], second["has_more"]) == ([3], False)


def test_queries_do_not_grow_with_steps(callers: Callers, run: Run) -> None:
    counts = []
    for limit in (1, 3):
        with CaptureQueriesContext(connection) as queries:
            assert callers.app.get(f"/runs/{run.pk}/steps?limit={limit}").status == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_after_erasure_the_steps_stay_and_their_words_are_gone(callers: Callers, run: Run) -> None:
    with connection.cursor() as cursor:
        erase_contents(cursor, run.pk)
    steps = callers.app.get(f"/runs/{run.pk}/steps").body["data"]
    assert (steps[0]["text"], steps[0]["calls"][0]["arguments"], steps[0]["calls"][0]["outcome"]) == (
        None,
    ) * 3
    assert steps[0]["calls"][0]["state"] == "succeeded"


def test_the_trace_has_three_lanes_in_order(callers: Callers, run: Run) -> None:
    trace = callers.app.get(f"/runs/{run.pk}/trace?limit=100").body
    items = trace["data"]
    assert [item["seq"] for item in items] == list(range(1, len(items) + 1))
    told = [(item["lane"], item["title"]) for item in items]
    assert told[0] == ("decided", "The run starts")
    assert ("decided", "Step 1: wants to call look_up, nonsense") in told
    assert ("decided", "look_up: allowed") in told
    assert ("broke", "nonsense: refused, not allow listed") in told
    assert ("executed", "look_up: called") in told
    assert ("broke", "look_up: attempt 1 failed, busy") in told
    assert ("executed", "look_up: called again, attempt 2") in told
    assert ("executed", "look_up: done") in told
    assert ("broke", "refund: failed, not refundable") in told
    assert told[-1] == ("decided", "Completed")
    assert items[0]["content"] == {"message": "canary-words"}


def test_the_totals_agree_with_the_run(callers: Callers, run: Run) -> None:
    totals = callers.app.get(f"/runs/{run.pk}/trace").body["totals"]
    assert (totals["steps"], totals["calls"], totals["attempts"]) == (run.steps, run.tool_calls, 3)
    assert (totals["tokens"], Decimal(totals["usd"])) == (run.tokens, run.usd)
    assert totals["broke"] == 3


def test_a_trace_is_one_query_and_personal_only_when_asked(run: Run) -> None:
    with CaptureQueriesContext(connection) as queries:
        trace = read_trace(run, contents=False)
    assert len(queries) == 1
    assert all(item.content is None for item in trace)


def test_a_trace_comes_in_pages_with_the_totals_of_the_run(callers: Callers, run: Run) -> None:
    whole = callers.app.get(f"/runs/{run.pk}/trace?limit=100").body
    told, more, cursor = [], True, ""
    while more:
        page = callers.app.get(f"/runs/{run.pk}/trace?limit=3{cursor}").body
        assert (len(page["data"]) <= 3, page["totals"]) == (True, whole["totals"])
        told += page["data"]
        more, cursor = page["has_more"], f"&cursor={page['next_cursor']}"
    assert told == whole["data"]  # also the names of tools, which outcomes do not carry


def test_a_trace_without_contents(callers: Callers, run: Run) -> None:
    answer = callers.app.get(f"/runs/{run.pk}/trace?contents=false")
    assert b"canary-words" not in answer.content
    assert b"canary-words" in callers.app.get(f"/runs/{run.pk}/trace").content


def test_the_answer_of_a_driven_run(callers: Callers, run: Run) -> None:
    shown = callers.app.get(f"/runs/{run.pk}").body
    assert (shown["state"], shown["answer"]) == ("completed", "I could not refund it.")
    assert shown["budget"]["used"]["steps"] == 3
