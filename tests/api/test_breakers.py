"""Breakers through the API: what people see of them in the console, and what operators do to them there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from identities.models import ApiKey
from tests.api.conftest import Callers
from tests.cast import Cast
from tests.factories import GrantFactory, ToolVersionFactory
from tests.ledger import last_entry
from tools.api import breakers
from tools.mirror import ShownBreaker
from tools.models import BreakerTransition, Tool

FORCED = {"act": "force_open", "reason": "The bank is down."}


@pytest.fixture
def tool(cast: Cast) -> Tool:
    made: Tool = ToolVersionFactory.create(tool__team=cast.team, tool__name="refund").tool
    return made


def at(tool: Tool) -> str:
    return f"/tools/{tool.pk}/breaker"


def moved(tool: Tool, minutes_ago: int, before: str, after: str, reason: str) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    BreakerTransition.objects.create(tool=tool, at=at, before=before, after=after, reason=reason)


def test_how_it_has_moved_is_told_with_who_and_why(callers: Callers, tool: Tool) -> None:
    moved(tool, 9, "closed", "open", "consecutive_failures")
    moved(tool, 8, "half_open", "closed", "probe_succeeded")
    callers.alice.post(at(tool), FORCED)
    told = callers.bob.get(at(tool)).body
    moves = [(move["what"], move["by"], move["reason"]) for move in told["moves"]]
    assert moves == [
        ("forced_open", "alice", "The bank is down."),
        ("closed", "", "probe_succeeded"),
        ("open", "", "consecutive_failures"),
    ]
    assert (told["breaker"]["state"], told["openings"]) == ("forced_open", 1)
    assert [stretch["why"] for stretch in told["stretches"]] == ["open", "forced_open"]


def test_an_operator_forces_lifts_and_resets(callers: Callers, tool: Tool) -> None:
    assert callers.ada.post(at(tool), {"act": "force_open"}).code == "reason_missing"
    done = callers.ada.post(at(tool), FORCED, key="once")
    again = callers.ada.post(at(tool), FORCED, key="once")
    assert (done.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert callers.ada.post(at(tool), FORCED).code == "breaker_forced_open"
    assert callers.ada.post(at(tool), {"act": "lift"}).code == "second_factor_required"
    ApiKey.objects.update(verified_until=timezone.now() + timedelta(minutes=1))
    assert callers.ada.post(at(tool), {"act": "lift"}).body["breaker"]["state"] == "closed"
    assert callers.ada.post(at(tool), {"act": "lift"}).code == "breaker_not_forced"
    callers.ada.post(at(tool), {"act": "reset"})
    assert last_entry(tool.pk).kind == "breaker.reset"


def test_whom_it_is_not_for_sees_and_moves_nothing(callers: Callers, cast: Cast, tool: Tool) -> None:
    GrantFactory.create(identity=cast.agent, tool=tool)  # so the application knows that there is one
    for outsider in (callers.charlie, callers.app):
        assert outsider.get(at(tool)).code == "unknown_tool"
        assert outsider.post(at(tool), FORCED).code == "unknown_tool"
    assert callers.bob.post(at(tool), FORCED).status == 403
    tool.refresh_from_db()
    assert tool.forced_open_at is None


def test_without_asking_who_it_is_an_application_would_see_it(
    callers: Callers, cast: Cast, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    GrantFactory.create(identity=cast.agent, tool=tool)
    monkeypatch.setattr(breakers, "is_known_person", lambda user: True)
    assert callers.app.get(at(tool)).status == 200


def test_what_stands_nowhere_is_told_as_never_moved(
    callers: Callers, tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "look_at_breaker", lambda tool: ShownBreaker("closed"))
    told = callers.bob.get(at(tool)).body
    assert (told["moves"], told["stretches"], told["breaker"]["changed_at"]) == ([], [], None)
