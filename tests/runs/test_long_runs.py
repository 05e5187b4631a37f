"""What people see of a run of 500 steps costs no more than of one of 100, and nothing of it is out of reach."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from runs.admin.pages import ENTRIES_SHOWN, POINTS
from runs.models import Run
from runs.trace import read_costs, read_last_items, read_totals, read_trace
from tests.api.caller import caller_of
from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.runs.long import COST, ENTRIES_PER_STEP, write_long_run

STEPS = 500


@pytest.fixture
def run(cast: Cast) -> Run:
    return write_long_run(cast, STEPS)


@pytest.mark.slow
@pytest.mark.console
def test_a_long_runs_page_is_no_longer(cast: Cast, run: Run) -> None:
    client, shorter = sign_in(cast.bob), write_long_run(cast, 100)
    pages = [page_of("runs_run", "change", each.pk) for each in (shorter, run)]
    sizes = [len(client.get(page).content) for page in pages]
    assert count_queries(client, pages[0]) >= count_queries(client, pages[1])
    assert sizes[1] < sizes[0] * 1.1


@pytest.mark.slow
@pytest.mark.console
def test_every_step_is_on_one_page_of_the_run(cast: Cast, run: Run) -> None:
    client, path = sign_in(cast.bob), page_of("runs_run", "change", run.pk)
    seen: list[int] = []
    page = client.get(path).content.decode()
    assert "Newest steps" not in page
    while True:
        on_page = [int(step) for step in re.findall(r"Step (\d+) <span", page)]
        assert len(on_page) <= ENTRIES_SHOWN / ENTRIES_PER_STEP
        seen = on_page + seen
        earlier = re.search(r"\?before=(\d+)", page)
        if earlier is None:
            break
        page = client.get(f"{path}?before={earlier[1]}").content.decode()
        assert "every 2s" not in page  # what is past changes no more
    assert seen == list(range(1, STEPS + 1))
    assert "The first words." in page


def test_the_cost_on_a_page_counts_from_the_beginning(cast: Cast, run: Run) -> None:
    page = text_of(sign_in(cast.bob).get(page_of("runs_run", "change", run.pk)))
    assert re.findall(
        r"Step (\d+) [\d:]+ UTC what the model was shown 10 tokens, 0.0100 USD, ([\d.]+) USD so far", page
    )[-1] == (
        "500",
        "5.00",
    )


def test_a_page_that_is_none_is_the_newest(cast: Cast, run: Run) -> None:
    client, path = sign_in(cast.bob), page_of("runs_run", "change", run.pk)
    for before in (
        "x",
        "",
        "-1",
        "9" * 30,
        "٣",
    ):  # in one test, for the run takes longer to write than its page
        page = client.get(path, {"before": before}).content.decode()
        assert f"Step {STEPS} <span" in page, before


def test_the_trace_comes_in_pages_of_bounded_cost(cast: Cast, run: Run) -> None:
    caller, shorter = caller_of(cast, cast.bob), write_long_run(cast, 100)
    taken = []
    for each in (shorter, run):
        with CaptureQueriesContext(connection) as queries:
            answer = caller.get(f"/runs/{each.pk}/trace?limit=100")
        taken.append((len(queries), len(answer.body["data"])))
        assert len(answer.content) < 100_000
        assert "LIMIT 101" in str(queries.captured_queries)  # no more is read than shown
    assert taken[0] == taken[1] == (taken[0][0], 100)
    assert answer.body["totals"] | {"usd": ""} == {
        "steps": STEPS, "calls": STEPS, "attempts": STEPS, "broke": 0, "tokens": 10 * STEPS, "usd": "",
        "model_ms": 3 * STEPS, "tool_ms": 7 * STEPS,
    }  # fmt: skip


def test_a_page_that_begins_within_a_step_still_names_its_tools(run: Run) -> None:
    whole = [item.title for item in read_trace(run)]
    assert [item.title for item in read_trace(run, after=3, limit=2)] == whole[3:5]
    assert [item.title for item in read_last_items(run, limit=1)] == whole[-1:] == ["look_up: done"]


def test_the_curve_of_the_cost_has_few_points_and_ends_at_the_total(run: Run) -> None:
    costs = [spent for _, spent in read_costs(run, POINTS)]
    assert (costs[0], costs[-1], len(costs)) == (Decimal(0), read_totals(run).usd, POINTS + 1)
    assert costs == sorted(costs)
    assert [spent for _, spent in read_costs(run, STEPS)] == [
        Decimal(COST) * step for step in range(STEPS + 1)
    ]
