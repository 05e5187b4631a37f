"""Who holds a tool: what may be seen of it, page by page, and who lost it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.cast import Cast
from tests.console.visits import count_queries, page_of, sign_in, text_of
from tests.factories import AgentFactory, GrantFactory, PrincipalFactory, ToolVersionFactory
from tools.admin import holders
from tools.execution import leave_place, places
from tools.models import Tool, ToolGrant, UserTerms
from tools.places import Place
from tools.services import revoke_grant

pytestmark = [pytest.mark.console, pytest.mark.slow]

TOOL = "tools_tool"


@pytest.fixture
def tool(cast: Cast) -> Tool:
    made: Tool = ToolVersionFactory.create(tool__team=cast.team, tool__name="refund", currency="USD").tool
    return made


def page(cast: Cast, tool: Tool, query: str = "") -> str:
    return text_of(sign_in(cast.bob).get(page_of(TOOL, "change", tool.pk) + query))


def test_every_holder_is_named_with_terms_team_and_end(cast: Cast, tool: Tool) -> None:
    caps = [{"per": "day", "count": 3}]
    GrantFactory.create(
        identity=cast.agent, tool=tool, decision="ALLOW_WITH_CAPS", caps=caps,
        valid_until=timezone.now() + timedelta(days=3, minutes=1),
    )  # fmt: skip
    other = AgentFactory.create(team=cast.team, name="Idle", slug="idle", state="suspended")
    GrantFactory.create(identity=other, tool=tool, decision="REQUIRE_APPROVAL")
    late = AgentFactory.create(team=cast.team, name="Late", slug="late")
    GrantFactory.create(identity=late, tool=tool, valid_until=timezone.now() - timedelta(days=1))
    seen = page(cast, tool)
    for words in ("Refunds-Agent Support may be used up to 3 calls a day; beyond that it is denied in 3 d",
                  "Idle suspended Support a person is asked every time", "Late expired"):  # fmt: skip
        assert words in seen, words


def test_terms_of_end_users_are_told(cast: Cast, tool: Tool) -> None:
    ann = PrincipalFactory.create(team=cast.team, subject="ann")
    caps = [{"per": "day", "count": 1}]
    UserTerms.objects.create(tool=tool, decision="ALLOW_WITH_CAPS", caps=caps, created_by=cast.alice)
    UserTerms.objects.create(tool=tool, principal=ann, decision="DENY", created_by=cast.alice)
    UserTerms.objects.create(
        tool=tool, principal=PrincipalFactory.create(team=cast.team), decision="ALLOW", created_by=cast.alice,
        ended_at=timezone.now(),
    )  # fmt: skip
    seen = page(cast, tool)
    assert "Every end user up to 1 call a day; beyond that it is denied" in seen
    assert f"{ann} it is denied" in seen
    assert "nothing is taken away" not in seen


def test_who_lost_it_lately_is_told_with_by_whom(cast: Cast, tool: Tool) -> None:
    gone = GrantFactory.create(identity=cast.agent, tool=tool)
    cast.alice.factor_is_fresh = lambda: True
    revoke_grant(actor=cast.alice, grant=gone, reason="unused")
    seen = page(cast, tool)
    assert "Lost it in the last 30 days Refunds-Agent , just now , taken away by alice" in seen
    assert "No agent: without a grant every call is denied." in seen


def test_holders_come_in_pages_and_cost_no_more_queries(
    cast: Cast, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "ON_A_PAGE", 3)
    bob, path = sign_in(cast.bob), page_of(TOOL, "change", tool.pk)
    GrantFactory.create(identity=cast.agent, tool=tool)
    few = count_queries(bob, path)
    for n in range(4):
        GrantFactory.create(
            identity=AgentFactory.create(team=cast.team, name=f"Zed {n}", slug=f"zed-{n}"), tool=tool
        )
    assert count_queries(bob, path) == few < 30
    first, second = page(cast, tool), page(cast, tool, "?holders=2")
    assert ("Zed 1" in first, "Zed 2" in first, "More agents" in first) == (True, False, True)
    assert ("Zed 1" in second, "Zed 3" in second, "More agents" in second) == (False, True, False)
    assert "There are no more." in page(cast, tool, "?holders=9")
    for odd in ("0", "-1", "x", "9" * 30, "²"):
        assert "Zed 1" in page(cast, tool, f"?holders={odd}")


def test_what_one_may_not_see_is_not_listed(cast: Cast, tool: Tool) -> None:
    """A row that was bent into another team's agent stays hidden from those who may see the tool alone."""
    theirs = AgentFactory.create(team=cast.other_team, name="Foreign", slug="foreign")
    GrantFactory.create(identity=theirs, tool=tool)
    assert "Foreign" not in page(cast, tool)


def test_without_that_limit_it_would_be(cast: Cast, tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant."""
    everything = type(ToolGrant.objects.all())
    monkeypatch.setattr(everything, "visible_to", lambda self, _: self)
    theirs = AgentFactory.create(team=cast.other_team, name="Foreign", slug="foreign")
    GrantFactory.create(identity=theirs, tool=tool)
    assert "Foreign" in page(cast, tool)


def test_places_taken_now_are_told(cast: Cast) -> None:
    version = ToolVersionFactory.create(tool__team=cast.team, max_concurrency=4)
    taken = [places().take(version.tool_id, 4, 30.0) for _ in range(3)]
    leave_place(taken[0])
    assert "Under way now: 2 of 4" in page(cast, version.tool)
    assert (
        'aria-label="places taken"'
        in sign_in(cast.bob).get(page_of(TOOL, "change", version.tool_id)).content.decode()
    )


def test_the_dead_take_no_place(cast: Cast) -> None:
    version = ToolVersionFactory.create(tool__team=cast.team, max_concurrency=4)
    assert isinstance(places().take(version.tool_id, 4, -60.0 + 0.001), Place)
    assert "Under way now: 0 of 4" in page(cast, version.tool)


def test_without_redis_nobody_pretends_to_know(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools import places as module
    from tools.admin import tools as pages
    from tools.breaker import connect

    away = module.Places(connect("redis://127.0.0.1:1"), "")
    monkeypatch.setattr(pages, "count_places", away.count)
    version = ToolVersionFactory.create(tool__team=cast.team, max_concurrency=4)
    assert "How many are under way nobody knows" in page(cast, version.tool)
