"""How many calls stand at once is what is said of each by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from agentops.identifiers import new_id
from tests.cast import Cast
from tests.factories import GrantFactory, PrincipalFactory, ToolVersionFactory
from tools.models import CapUsage, ToolGrant
from tools.standing import Authority, Question, read_standing
from tools.standings import read_standings

pytestmark = pytest.mark.django_db


def psycopg_connection() -> psycopg.Connection[tuple[object, ...]]:
    connection.ensure_connection()
    found: psycopg.Connection[tuple[object, ...]] = connection.connection
    return found


def ask(cast: Cast, tool: object, **changes: object) -> Question:
    by = Authority(
        cast.application.pk, None, PrincipalFactory.create(team=cast.team, subject=str(new_id())).pk, "model"
    )
    now = timezone.now()
    made = Question(cast.agent.pk, tool, by, new_id(), now, "k", "", now - timedelta(hours=1))  # type: ignore[arg-type]  # an id
    return replace(made, **changes)  # type: ignore[arg-type]  # of several types


def test_many_are_answered_as_each_is(cast: Cast) -> None:
    caps = [{"per": "day", "count": 3}, {"per": "call", "amount": "50.00"}]
    plain, capped, none = (ToolVersionFactory.create(tool__team=cast.team).tool for _ in range(3))
    GrantFactory.create(identity=cast.agent, tool=plain, decision="REQUIRE_APPROVAL")
    GrantFactory.create(identity=cast.agent, tool=capped, decision="ALLOW_WITH_CAPS", caps=caps)
    day = timezone.now().strftime("%Y-%m-%d")
    CapUsage.objects.create(
        identity=cast.agent, tool=capped, window=f"day:{day}", used_count=2, used_amount=7
    )
    questions = [
        ask(cast, plain.pk),
        ask(cast, capped.pk),
        ask(cast, none.pk),
        ask(cast, new_id()),
        ask(cast, capped.pk, key=""),
    ]
    read = psycopg_connection()
    assert read_standings(read, questions) == [read_standing(read, each) for each in questions]


def test_one_that_cannot_be_read_is_left_to_be_asked_alone(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tools import standings

    tool = ToolVersionFactory.create(tool__team=cast.team).tool
    GrantFactory.create(identity=cast.agent, tool=tool, decision="REQUIRE_APPROVAL")
    assert ToolGrant.objects.exists()

    def fail(*_: object) -> None:
        raise ValueError("there are no caps")

    monkeypatch.setattr(standings, "read_answer", fail)
    assert read_standings(psycopg_connection(), [ask(cast, tool.pk)]) == [None]
