from __future__ import annotations

import pytest

from tests.cast import Cast
from tests.factories import AgentFactory, GrantFactory, ToolFactory
from tools.models import Tool


@pytest.mark.parametrize(
    ("terms", "listed"),
    [
        ({"decision": "ALLOW"}, True),
        ({"decision": "ALLOW_WITH_CAPS"}, True),
        ({"decision": "REQUIRE_APPROVAL"}, True),
        ({"decision": "DENY"}, False),
        ({"decision": "ALLOW", "state": "superseded"}, False),
        ({"decision": "ALLOW", "state": "revoked"}, False),
    ],
)
def test_an_application_sees_what_its_agents_may_use(cast: Cast, terms: dict[str, str], listed: bool) -> None:
    tool = ToolFactory.create(team=cast.team)
    GrantFactory.create(identity=cast.agent, tool=tool, **terms)
    assert Tool.objects.visible_to(cast.application.service_account).filter(pk=tool.pk).exists() is listed


def test_what_one_agent_is_denied_and_another_granted_is_listed_for_who_may_start_the_other(
    cast: Cast,
) -> None:
    tool, stranger = ToolFactory.create(team=cast.team), AgentFactory.create(team=cast.team)
    GrantFactory.create(identity=stranger, tool=tool, decision="ALLOW")
    GrantFactory.create(identity=cast.agent, tool=tool, decision="DENY", version=2)
    assert list(Tool.objects.visible_to(cast.application.service_account)) == []
    assert list(Tool.objects.visible_to(cast.bob)) == [tool]
