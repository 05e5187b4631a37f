"""The life of an agent identity, and who may steer it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agentops.errors import AgentOpsError, PolicyDenied, StateConflict, ValidationFailed
from identities.models import AgentIdentity, User
from identities.services import activate_agent, create_agent, revoke_agent, suspend_agent, update_agent
from tests.cast import Cast
from tests.factories import AgentFactory, PersonFactory
from tests.ledger import kinds_of, last_entry


def make_agent(cast: Cast, **changes: Any) -> AgentIdentity:  # Any: fields of the agent
    fields: dict[str, Any] = {
        "slug": "returns-agent",
        "name": "Returns",
        "purpose": "Takes goods back.",
        "owner": cast.bob,
    }
    return create_agent(actor=cast.alice, team=cast.team, **{**fields, **changes})


def test_new_agent_is_a_draft_with_a_service_account(cast: Cast) -> None:
    agent = make_agent(cast)

    account = User.objects.get(pk=agent.service_account_id)
    assert (agent.state, account.kind, account.username) == ("draft", "agent", "agent.returns-agent")
    assert not account.has_usable_password()
    assert not account.is_staff
    entry = last_entry(agent.id)
    assert (entry.kind, entry.actor) == ("agent.created", cast.alice.id)
    assert entry.facts["owner"] == str(cast.bob.id)


def test_life_of_an_agent(cast: Cast) -> None:
    agent = make_agent(cast)

    for verb, state in [
        (activate_agent, "active"),
        (suspend_agent, "suspended"),
        (activate_agent, "active"),
        (revoke_agent, "revoked"),
    ]:
        assert verb(actor=cast.alice, agent=agent).state == state
    assert kinds_of(agent.id) == [
        "agent.created",
        "agent.activated",
        "agent.suspended",
        "agent.activated",
        "agent.revoked",
    ]


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        ("draft", suspend_agent),
        ("active", activate_agent),
        ("suspended", suspend_agent),
        ("revoked", activate_agent),
        ("revoked", suspend_agent),
        ("revoked", revoke_agent),
    ],
)
def test_impossible_moves_are_conflicts(cast: Cast, state: str, verb: Callable[..., object]) -> None:
    agent = AgentFactory.create(team=cast.team, state=state)

    with pytest.raises(StateConflict, match=state):
        verb(actor=cast.ada, agent=agent)
    assert kinds_of(agent.id) == []


def test_revoking_closes_the_account_and_removes_nothing(cast: Cast) -> None:
    revoke_agent(actor=cast.alice, agent=cast.agent, reason="It told Ann Lee a secret.")

    account = User.objects.get(pk=cast.agent.service_account_id)
    assert not account.is_active
    entry = last_entry(cast.agent.id)
    assert entry.content == {"reason": "It told Ann Lee a secret."}
    assert "Ann" not in str(entry.facts)


@pytest.mark.parametrize("name", ["bob", "charlie", "fiona"])
@pytest.mark.parametrize("verb", [suspend_agent, revoke_agent, activate_agent])
def test_others_steer_nothing(cast: Cast, name: str, verb: Callable[..., object]) -> None:
    with pytest.raises(PolicyDenied):
        verb(actor=getattr(cast, name), agent=cast.agent)
    cast.agent.refresh_from_db()
    assert cast.agent.state == "active"


def test_service_account_with_every_permission_steers_nothing(cast: Cast) -> None:
    account = cast.agent.service_account
    account.user_permissions.set(cast.alice.user_permissions.all())
    cast.team.members.add(account)

    with pytest.raises(PolicyDenied):
        suspend_agent(actor=account, agent=cast.agent)


def test_owner_stops_but_does_not_start_their_agent(cast: Cast) -> None:
    agent = AgentFactory.create(team=cast.team, owner=cast.bob)

    suspend_agent(actor=cast.bob, agent=agent)
    with pytest.raises(PolicyDenied):
        activate_agent(actor=cast.bob, agent=agent)


def test_expired_agent_is_not_activated(cast: Cast) -> None:
    end = timezone.now() - timedelta(seconds=1)
    agent = AgentFactory.create(team=cast.team, state="suspended", expires_at=end)

    with pytest.raises(StateConflict, match="expired"):
        activate_agent(actor=cast.ada, agent=agent)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"slug": "no spaces"}, ValidationFailed),
        ({"purpose": ""}, ValidationFailed),
        ({"slug": "refunds-agent"}, StateConflict),
    ],
)
def test_bad_fields_leave_nothing_behind(
    cast: Cast, changes: dict[str, str], error: type[AgentOpsError]
) -> None:
    before = User.objects.count()

    with pytest.raises(error):
        make_agent(cast, **changes)
    assert User.objects.count() == before


@pytest.mark.parametrize("broken", [{"is_active": False}, {"kind": "application", "is_staff": False}])
def test_owner_is_an_active_person(cast: Cast, broken: dict[str, object]) -> None:
    with pytest.raises(ValidationFailed, match="owner"):
        make_agent(cast, owner=PersonFactory.create(**broken))


def test_update_records_the_names_of_fields_only(cast: Cast) -> None:
    changes = update_agent(
        actor=cast.alice,
        agent=cast.agent,
        name="Refunds",
        purpose=cast.agent.purpose,
        owner=cast.bob,
        expires_at=None,
    )

    assert set(changes) == {"name", "owner"}
    assert last_entry(cast.agent.id).facts["fields"] == ["name", "owner"]


def test_an_agent_is_exposed_by_who_may_change_it(cast: Cast) -> None:
    agent = cast.agent
    said = {"name": agent.name, "purpose": agent.purpose, "owner": agent.owner, "expires_at": None}
    with pytest.raises(PolicyDenied):
        update_agent(actor=cast.charlie, agent=agent, exposed=True, **said)  # type: ignore[arg-type]  # as it is
    agent.refresh_from_db()
    assert not agent.exposed  # nobody is, unless somebody says so
    changes = update_agent(actor=cast.alice, agent=agent, exposed=True, **said)  # type: ignore[arg-type]  # as above
    assert changes == {"exposed": (False, True)}
    assert last_entry(agent.id).facts["exposed"] is True
    assert update_agent(actor=cast.alice, agent=agent, **said) == {}  # type: ignore[arg-type]  # as above


def test_update_that_changes_nothing_records_nothing(cast: Cast) -> None:
    agent = cast.agent
    changes = update_agent(
        actor=cast.alice,
        agent=agent,
        name=agent.name,
        purpose=agent.purpose,
        owner=agent.owner,
        expires_at=None,
    )

    assert changes == {}
    assert kinds_of(agent.id) == []


def test_revoked_agent_is_not_changed(cast: Cast) -> None:
    agent = revoke_agent(actor=cast.alice, agent=cast.agent)

    with pytest.raises(StateConflict, match="revoked"):
        update_agent(actor=cast.ada, agent=agent, name="Other", purpose="p", owner=cast.bob, expires_at=None)
