"""Agents, tools and the preflight, to look at."""

from __future__ import annotations

import pytest
import redis
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import AgentVersion
from runs.preflight import advise
from tests.api.caller import Caller
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import AgentFactory, AgentVersionFactory, GrantFactory, ToolFactory, ToolVersionFactory
from tests.tools.breakers import trip
from tools.mirror import reconcile_breakers
from tools.models import Tool


@pytest.fixture
def tool(cast: Cast) -> Tool:
    made: Tool = ToolFactory.create(team=cast.team, name="refund")
    ToolVersionFactory.create(tool=made, description="Old.", config={"url": "http://canary-address"})
    ToolVersionFactory.create(tool=made, description="New.", config={"url": "http://canary-address"})
    return made


def test_a_tool_shows_its_newest_version_and_not_where_it_leads(callers: Callers, tool: Tool) -> None:
    answer = callers.bob.get(f"/tools/{tool.pk}")
    assert (answer.body["name"], answer.body["state"], answer.body["team"]) == ("refund", "active", "support")
    assert (answer.body["version"]["number"], answer.body["version"]["description"]) == (2, "New.")
    assert answer.body["breaker"] == {"state": "closed", "changed_at": None, "retry_at": None, "reason": ""}
    assert b"canary-address" not in answer.content


def test_a_tool_without_a_version(callers: Callers, cast: Cast) -> None:
    made = ToolFactory.create(team=cast.team)
    assert callers.bob.get(f"/tools/{made.pk}").body["version"] is None


def test_the_breaker_is_the_persons_before_it_is_the_machines(
    callers: Callers, tool: Tool, cast: Cast
) -> None:
    trip(tool)
    assert callers.bob.get(f"/tools/{tool.pk}").body["breaker"]["state"] == "open"
    Tool.objects.filter(pk=tool.pk).update(
        forced_open_at=timezone.now(), forced_open_by=cast.alice, forced_open_reason="leaking"
    )
    shown = callers.bob.get(f"/tools/{tool.pk}").body["breaker"]
    assert (shown["state"], shown["reason"]) == ("forced_open", "leaking")


def test_a_breaker_that_was_forgotten_is_shown_closed(
    callers: Callers, tool: Tool, worker_redis: redis.Redis
) -> None:
    trip(tool)
    worker_redis.flushdb()
    assert callers.bob.get(f"/tools/{tool.pk}").body["breaker"]["state"] == "closed"
    assert callers.bob.get("/tools").body["data"][0]["breaker"]["state"] == "open"
    reconcile_breakers()
    for shown in (callers.bob.get(f"/tools/{tool.pk}").body, callers.bob.get("/tools").body["data"][0]):
        assert (shown["breaker"]["state"], shown["breaker"]["reason"]) == ("closed", "forgotten")


def test_tools_are_the_teams_and_those_that_an_applications_agents_may_use(
    callers: Callers, cast: Cast, tool: Tool
) -> None:
    assert callers.charlie.get(f"/tools/{tool.pk}").code == "unknown_tool"
    assert callers.app.get("/tools").body["data"] == []
    GrantFactory.create(identity=cast.agent, tool=tool)
    for who, expected in ((callers.app, 1), (callers.bob, 1), (callers.charlie, 0)):
        assert len(who.get("/tools").body["data"]) == expected


def test_tools_are_filtered(callers: Callers, tool: Tool) -> None:
    assert len(callers.bob.get("/tools?name=refund&state=active").body["data"]) == 1
    assert callers.bob.get("/tools?name=other").body["data"] == []
    assert callers.bob.get("/tools?state=broken").code == "invalid_parameter"


def test_agents_are_those_that_may_be_started_or_governed(callers: Callers, cast: Cast) -> None:
    AgentFactory.create(team=cast.team, slug="not-granted")
    assert [agent["slug"] for agent in callers.app.get("/agents").body["data"]] == ["refunds-agent"]
    assert {agent["slug"] for agent in callers.bob.get("/agents").body["data"]} == {
        "refunds-agent",
        "not-granted",
    }
    assert callers.charlie.get("/agents").body["data"] == []
    shown = callers.app.get(f"/agents/{cast.agent.pk}").body
    assert (shown["slug"], shown["state"], shown["team"]) == ("refunds-agent", "active", "support")
    assert callers.charlie.get(f"/agents/{cast.agent.pk}").code == "unknown_agent"
    assert callers.stranger.get(f"/agents/{cast.agent.pk}").status == 401
    assert len(callers.bob.get("/agents?slug=refunds-agent&state=active").body["data"]) == 1


def test_the_preflight_lists_what_is_missing_with_its_remedy(
    callers: Callers, cast: Cast, version: AgentVersion
) -> None:
    report = callers.bob.get(f"/agents/{cast.agent.pk}/preflight").body
    assert (report["agent"], report["version"], report["ready"]) == ("refunds-agent", 1, False)
    assert all(finding["remedy"] for finding in report["findings"])
    assert "price" in str(report["findings"])


def test_the_preflight_gives_advice_that_keeps_nothing_from_being_published(
    callers: Callers, cast: Cast, tool: Tool
) -> None:
    def advice() -> list[str]:
        report = callers.bob.get(f"/agents/{cast.agent.pk}/preflight").body
        assert all(each["remedy"] for each in report["advice"])
        assert not {each["code"] for each in report["advice"]} & {each["code"] for each in report["findings"]}
        return [each["code"] for each in report["advice"]]

    draft = AgentVersionFactory.create(identity=cast.agent)
    draft.catalogue.set([tool.versions.get(number=2)])
    assert advice() == [finding.code for finding in advise(draft, draft.catalogue.all())]
    assert "no_plan" in advice()
    AgentVersion.objects.filter(pk=draft.pk).update(state="retired")
    assert advice() == []


def test_the_preflight_is_of_the_version_that_is_named(
    callers: Callers, cast: Cast, version: AgentVersion
) -> None:
    AgentVersionFactory.create(identity=cast.agent, max_steps=None)
    path = f"/agents/{cast.agent.pk}/preflight"
    newest, older = (callers.bob.get(path + query).body for query in ("", f"?version={version.number}"))
    assert (newest["version"], older["version"]) == (version.number + 1, version.number)
    assert "no_budget" in str(newest["findings"])
    assert "no_budget" not in str(older["findings"])


@pytest.mark.usefixtures("version")
def test_the_preflight_knows_its_versions_only(callers: Callers, cast: Cast) -> None:
    AgentVersionFactory.create(identity=AgentFactory.create(team=cast.team), number=7)
    path = f"/agents/{cast.agent.pk}/preflight"
    answer = callers.bob.get(f"{path}?version=7")
    assert (answer.status, answer.code) == (404, "unknown_version")
    for nonsense in ("0", "newest", "", str(2**31)):
        answer = callers.bob.get(f"{path}?version={nonsense}")
        assert (answer.status, answer.code) == (400, "invalid_parameter"), nonsense


@pytest.mark.usefixtures("version")
def test_the_preflight_is_the_teams(callers: Callers, cast: Cast) -> None:
    for who in (callers.charlie, callers.app):
        for query in ("", "?version=1"):
            assert who.get(f"/agents/{cast.agent.pk}/preflight{query}").code == "unknown_agent"


@pytest.mark.parametrize("path", ["/tools", "/agents"])
def test_queries_do_not_grow_with_rows(callers: Callers, cast: Cast, tool: Tool, path: str) -> None:
    def count(caller: Caller) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert caller.get(f"{path}?limit=100").status == 200
        return len(queries)

    callers.bob.get(path)
    with_one = count(callers.bob)
    for _ in range(4):
        AgentFactory.create(team=cast.team)
        ToolVersionFactory.create(tool__team=cast.team)
    assert count(callers.bob) == with_one
