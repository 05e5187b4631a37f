"""How much anybody can ask for, and how much of it is told and kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery import current_app
from django.conf import LazySettings
from django.test import Client as Browser
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.identifiers import new_id
from identities import tasks
from identities.models import Delegation, RefusedTokenRequests, UsedIdentifier
from identities.oauth.refusals import STRANGERS, tell_refused_requests
from identities.oauth.spending import is_spent, spend
from identities.services.delegations import add_delegation
from tests.cast import Cast
from tests.ledger import entries_of
from tests.oauth.clients import API, USER_ID, Caller, post, user_id

JTI = UsedIdentifier.Purpose.ASSERTION


def told(stream: object) -> list[int]:
    entries = entries_of(stream)  # type: ignore[arg-type]  # a UUID
    return [entry.facts["times"] for entry in entries if entry.kind == "token.refused"]


def knock(address: str = "203.0.113.9", name: str = "agent.ghost") -> int:
    stranger = Browser(REMOTE_ADDR=address)
    return post(stranger, "/oauth/token", client_id=name, client_secret="x").status_code


def test_a_client_waits_when_it_asked_too_often(app: Caller, settings: LazySettings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "token": (2, 60)}
    answers = [app.post(grant_type="client_credentials", audience=API) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error"] == "temporarily_unavailable"
    assert 0 < int(answers[-1]["Retry-After"]) <= 60


def test_whoever_knows_its_name_does_not_use_its_quota_up(app: Caller, settings: LazySettings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "token": (2, 60)}
    assert {knock(name=app.client_id) for _ in range(5)} == {401}

    assert app.post(grant_type="client_credentials", audience=API).status_code == 200


def test_an_address_waits_too(app: Caller, settings: LazySettings) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "token_address": (2, 60)}

    assert [knock() for _ in range(3)] == [401, 401, 429]
    assert knock("203.0.113.10") == 401


def test_a_flood_of_refusals_is_one_entry_per_address_and_cool_off(db: None) -> None:
    for _ in range(5):
        knock()
    knock("203.0.113.10")
    assert told(STRANGERS) == [1, 1]
    assert "203.0.113" not in str(entries_of(STRANGERS))

    RefusedTokenRequests.objects.update(told_at=timezone.now() - timedelta(minutes=16))
    assert tell_refused_requests(now=timezone.now()) == 2
    assert told(STRANGERS) == [1, 1, 4]
    RefusedTokenRequests.objects.update(told_at=timezone.now() - timedelta(minutes=16))
    tell_refused_requests(now=timezone.now())
    assert not RefusedTokenRequests.objects.exists()


def test_what_was_used_is_forgotten_once_it_has_ended(db: None) -> None:
    now = int(timezone.now().timestamp())
    assert spend(JTI, "agent.x", "old", until_s=now - 1)
    assert spend(JTI, "agent.x", "new", until_s=now + 60)
    assert not spend(JTI, "agent.x", "new", until_s=now + 60)
    assert spend(JTI, "agent.y", "new", until_s=now + 60), "of another client it is another"

    assert tasks.drop_identifiers() == 1
    assert is_spent(JTI, "agent.x", "new")


def test_beat_does_both() -> None:
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert {tasks.tell_token_requests.name, tasks.drop_identifiers.name} <= scheduled


def test_nothing_is_added_below_a_hop_that_was_revoked_meanwhile(
    cast: Cast, app: Caller, agent: Caller
) -> None:
    app.exchanged(user_id(), agent.client_id, USER_ID)
    parent = Delegation.objects.get()
    Delegation.objects.update(revoked_at=timezone.now())
    child = Delegation(
        id=new_id(), parent=parent, actor=agent.account, team=cast.team, proof="asserted", audience=API,
        depth=2, expires_at=parent.expires_at, principal=parent.principal, scope="api", receipt="x",
    )  # fmt: skip

    with pytest.raises(StateConflict, match="parent_ended"):
        add_delegation(child)
