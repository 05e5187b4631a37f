"""What became of a tool's calls: the numbers, the calls behind them, and what it costs to look."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from django.db import connection
from django.utils import timezone

from agentops.engine.state import CallStatus
from runs import tool_use
from runs.actions import refusals
from runs.models import Run, ToolCall
from runs.tool_use import Wanted, list_calls, read_use
from tests.api.caller import caller_of
from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.factories import AgentVersionFactory, GrantFactory, RunFactory, ToolVersionFactory
from tests.rewriting import rewrite
from tests.runs.company import ORDER, Company, proposes, says
from tools.models import Tool, ToolVersion

CALLS = "/admin/runs/agentversion/calls"


@pytest.fixture
def version(cast: Cast) -> ToolVersion:
    made: ToolVersion = ToolVersionFactory.create(tool__team=cast.team, tool__name="refund")
    return made


@pytest.fixture
def tool(version: ToolVersion) -> Tool:
    return version.tool


@pytest.fixture
def run(cast: Cast) -> Run:
    made: Run = RunFactory.create(agent_version=AgentVersionFactory.create(identity=cast.agent))
    return made


def call(run: Run, version: ToolVersion, state: str, **values: Any) -> ToolCall:  # Any: columns
    """Write a call as it stands after it came out so, a minute ago."""
    row = {
        "run": run, "step": ToolCall.objects.filter(run=run).count() + 1, "number": 1, "tool_name": version.tool.name,
        "tool_version": version, "state": state, "attempts": 1, "proposed_at": minutes_ago(1),
    }  # fmt: skip
    made: ToolCall = ToolCall.objects.create(**{**row, **values})
    return made


def minutes_ago(minutes: float) -> datetime:
    return timezone.now() - timedelta(minutes=minutes)


def counts(tool: Tool) -> dict[str, tuple[int, int, int]]:
    use = read_use(tool, timezone.now())
    return {row.name: (row.hour, row.day, row.week) for row in use.outcomes if row.week}


def test_calls_are_counted_by_outcome_and_window(tool: Tool, version: ToolVersion, run: Run) -> None:
    call(run, version, "succeeded")
    call(run, version, "succeeded", proposed_at=minutes_ago(90))
    call(run, version, "failed", proposed_at=minutes_ago(60 * 30))
    call(run, version, "parked", code="timeout")
    call(run, version, "refused", code="denied_by_human", attempts=0)
    call(run, version, "refused", code="vetoed", attempts=0)
    call(run, version, "refused", code="cap_reached", attempts=0)
    call(run, version, "waiting", attempts=0)
    call(run, version, "held", attempts=0)
    call(run, version, "started")
    call(run, version, "succeeded", proposed_at=minutes_ago(60 * 24 * 8))
    assert counts(tool) == {
        "succeeded": (1, 2, 2), "failed": (0, 0, 1), "unknown": (1, 1, 1), "denied": (2, 2, 2),
        "refused": (1, 1, 1), "waiting": (2, 2, 2), "under_way": (1, 1, 1),
    }  # fmt: skip
    use = read_use(tool, timezone.now())
    assert {row.name for row in use.refusals} == {"denied_by_human", "vetoed", "cap_reached"}
    assert [row.name for row in use.failures] == ["", "timeout"]
    assert use.total.week == 10
    assert use.complete_since is None


def test_every_state_of_a_call_has_an_outcome(tool: Tool, version: ToolVersion, run: Run) -> None:
    for state in get_args(CallStatus):
        call(run, version, state)
    assert sum(week for _, _, week in counts(tool).values()) == len(get_args(CallStatus))


def test_latency_is_that_of_attempts_by_version(tool: Tool, version: ToolVersion, run: Run) -> None:
    newer = ToolVersionFactory.create(tool=tool, number=version.number + 1)
    for ms in range(1, 101):
        call(run, version, "succeeded", latency_ms=ms)
    call(run, version, "refused", attempts=0, latency_ms=9_999)
    call(run, newer, "waiting", attempts=0)
    second, first = read_use(tool, timezone.now()).latencies
    assert (first.version, first.attempts, first.p50_ms, first.p95_ms, first.p99_ms) == (
        version.number,
        100,
        50,
        95,
        99,
    )
    assert (second.version, second.attempts, second.p50_ms) == (newer.number, 0, None)


def test_each_number_leads_to_its_calls(cast: Cast, tool: Tool, version: ToolVersion, run: Run) -> None:
    call(run, version, "refused", code="cap_reached", outcome_seq=7, attempts=0)
    call(run, version, "succeeded")
    bob = sign_in(cast.bob)
    page = bob.get(page_of("tools_tool", "change", tool.pk)).content.decode()
    query = "window=hour&amp;outcome=refused"
    assert f'href="{CALLS}/{tool.pk}/?{query}">1</a>' in page
    assert f'href="{CALLS}/{tool.pk}/?window=week&amp;code=cap_reached">1</a>' in page
    behind = bob.get(f"{CALLS}/{tool.pk}/?window=hour&outcome=refused").content.decode()
    assert behind.count("#entry-7") == 1
    assert "step 2 of" not in behind


def test_pages_of_calls_follow_each_other(cast: Cast, tool: Tool, version: ToolVersion, run: Run) -> None:
    for _ in range(51):
        call(run, version, "succeeded")
    bob = sign_in(cast.bob)
    first = bob.get(f"{CALLS}/{tool.pk}/").content.decode()
    assert 'href="?window=week&amp;page=2">Older calls' in first
    second = bob.get(f"{CALLS}/{tool.pk}/?page=2").content.decode()
    assert second.count("step 1 of") + first.count("step 1 of") >= 1
    assert "Older calls" not in second
    assert bob.get(
        f"{CALLS}/{tool.pk}/?page=99999999&window=x&outcome=%3Cscript%3E&code=%00"
    ).status_code in (200, 400)


def test_another_teams_calls_are_nobodys(cast: Cast, tool: Tool, version: ToolVersion, run: Run) -> None:
    call(run, version, "succeeded")
    assert sign_in(cast.charlie).get(f"{CALLS}/{tool.pk}/").status_code == 404


def test_the_api_tells_the_same_numbers_to_people_only(
    cast: Cast, tool: Tool, version: ToolVersion, run: Run
) -> None:
    call(run, version, "succeeded", latency_ms=40)
    call(run, version, "refused", code="cap_reached", attempts=0)
    GrantFactory.create(identity=cast.agent, tool=tool)
    told = caller_of(cast, cast.bob).get(f"/tools/{tool.pk}/metrics").body
    assert told["total"] == {"hour": 2, "day": 2, "week": 2}
    assert told["outcomes"][0] == {"outcome": "succeeded", "hour": 1, "day": 1, "week": 1}
    assert told["refusals"] == [{"code": "cap_reached", "hour": 1, "day": 1, "week": 1}]
    assert told["latency"] == [
        {"version": version.number, "attempts": 1, "p50_ms": 40, "p95_ms": 40, "p99_ms": 40}
    ]
    assert told["complete_since"] is None
    application = cast.application.service_account
    assert application is not None
    for outsider in (cast.charlie, application):  # the application may know the tool, but not all of its runs
        assert caller_of(cast, outsider).get(f"/tools/{tool.pk}/metrics").code == "unknown_tool"


def test_looking_takes_no_more_queries_for_more_calls(
    cast: Cast, tool: Tool, version: ToolVersion, run: Run
) -> None:
    path = page_of("tools_tool", "change", tool.pk)
    call(run, version, "succeeded")
    few = count_queries(sign_in(cast.bob), path)
    for _ in range(5):
        other: Run = RunFactory.create(agent_version=run.agent_version)
        for state in ("succeeded", "failed", "refused"):
            call(other, version, state, code=f"code_{state}")
        GrantFactory.create(identity__team=cast.team, tool=tool)
    assert count_queries(sign_in(cast.bob), path) <= few + 1
    assert few < 30


def test_what_is_read_is_bounded_and_says_so(
    tool: Tool, version: ToolVersion, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_use, "MOST_READ", 3)
    for minutes in (1, 2, 3, 4, 5):
        call(run, version, "succeeded", proposed_at=minutes_ago(minutes))
    use = read_use(tool, timezone.now())
    assert use.total.week == 3
    assert use.complete_since is not None
    assert abs(use.complete_since - minutes_ago(3)) < timedelta(seconds=5)
    assert len(list_calls(tool, Wanted(), timezone.now(), limit=50)) == 3


MANY = """
INSERT INTO runs_tool_call (run_id, step, number, tool_name, tool_version_id, effect, state, decision, reasons,
    args_digest, attempts, code, proposed_at, latency_ms)
SELECT %(run)s, k, 1, 'refund', %(version)s, 'read', CASE k %% 10 WHEN 0 THEN 'failed' ELSE 'succeeded' END, 'ALLOW',
    '[]', '', 1, 'ok', now() - k * interval '1 second', k %% 500
FROM generate_series(1, %(rows)s) AS k
"""


def seed(run: Run, version: ToolVersion, rows: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(MANY, {"run": run.pk, "version": version.pk, "rows": rows})


def rows_touched(tool: Tool) -> int:
    """Return how many rows of calls one look reads, as the server counts them."""
    ((plan,),) = tool_use._read(
        "EXPLAIN (ANALYZE, FORMAT JSON) " + tool_use._USE,
        {**tool_use._bounds(tool, timezone.now()), "shown": 8},
    )
    found = json.loads(plan) if isinstance(plan, str) else plan

    def walk(node: dict[str, Any]) -> int:  # Any: a plan's JSON
        mine = (
            node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name") == "runs_tool_call" else 0
        )
        return int(mine) + sum(walk(child) for child in node.get("Plans", ()))

    return walk(found[0]["Plan"])


def test_looking_reads_no_more_rows_of_a_larger_table(
    tool: Tool, version: ToolVersion, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_use, "MOST_READ", 500)
    seed(run, version, 20_000)
    assert rows_touched(tool) == 500


def test_without_that_bound_every_call_is_read(
    tool: Tool, version: ToolVersion, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: the calls are not read in the order of their index, so all are read and sorted."""
    rewrite(monkeypatch, tool_use, "_read", "enable_sort = off", "enable_indexscan = off")
    monkeypatch.setattr(tool_use, "MOST_READ", 500)
    seed(run, version, 20_000)
    assert rows_touched(tool) == 20_000


def test_what_the_policy_refuses_is_counted_too(company: Company) -> None:
    company.add_tool("refund", grant="DENY")
    company.run(proposes(("refund", ORDER)), says("I cannot."))
    use = read_use(Tool.objects.get(name="refund"), timezone.now())
    assert [(row.name, row.hour) for row in use.refusals] == [("denied_by_grant", 1)]


def test_without_its_version_a_refusal_is_nobodys(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: what is refused does not say which version of which tool it was."""
    rewrite(monkeypatch, refusals, "_version_of", "spec is None", "True")
    company.add_tool("refund", grant="DENY")
    company.run(proposes(("refund", ORDER)), says("I cannot."))
    assert read_use(Tool.objects.get(name="refund"), timezone.now()).refusals == ()


@pytest.mark.slow
@pytest.mark.api
def test_a_million_calls_are_looked_at_in_no_time(
    cast: Cast, tool: Tool, version: ToolVersion, run: Run
) -> None:
    seed(run, version, 1_000_000)
    bob, path = sign_in(cast.bob), page_of("tools_tool", "change", tool.pk)
    assert count_queries(bob, path) < 30
    took = []
    for _ in range(5):
        began = time.perf_counter()
        page = bob.get(path)
        took.append((time.perf_counter() - began) * 1000)
    print(f"the page at 1,000,000 calls: {sorted(round(ms) for ms in took)} ms")
    assert "Counted are the newest 10,000 calls" in text_of(page)
    assert rows_touched(tool) == tool_use.MOST_READ  # how long that takes is the machine's business
