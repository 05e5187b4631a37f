"""Applications, and which agents they may start."""

from __future__ import annotations

import pytest

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import AgentIdentity, User
from identities.services import (
    allow_start,
    create_application,
    forbid_start,
    revoke_application,
    update_application,
)
from tests.cast import Cast
from tests.factories import AgentFactory
from tests.ledger import kinds_of


def test_new_application_may_start_nothing(cast: Cast) -> None:
    application = create_application(actor=cast.alice, team=cast.team, slug="app", name="App")

    assert application.service_account.kind == "application"
    assert not application.service_account.has_usable_password()
    assert not application.may_assert_users
    assert not AgentIdentity.objects.visible_to(application.service_account).exists()


def test_allow_and_forbid_start(cast: Cast) -> None:
    agent = AgentFactory.create(team=cast.team)
    account = cast.application.service_account

    assert allow_start(actor=cast.alice, application=cast.application, agent=agent)
    assert not allow_start(actor=cast.alice, application=cast.application, agent=agent)
    assert agent in AgentIdentity.objects.visible_to(account)
    assert User.objects.get(pk=account.pk).has_perm("start_run", agent)
    assert forbid_start(actor=cast.alice, application=cast.application, agent=agent)
    assert not forbid_start(actor=cast.alice, application=cast.application, agent=agent)
    assert agent not in AgentIdentity.objects.visible_to(account)
    assert kinds_of(cast.application.id) == ["application.start_allowed", "application.start_forbidden"]


def test_agents_of_other_teams_are_out_of_reach(cast: Cast) -> None:
    foreign = AgentFactory.create(team=cast.other_team)

    with pytest.raises(ValidationFailed, match="team"):
        allow_start(actor=cast.ada, application=cast.application, agent=foreign)


def test_outsiders_and_colleagues_without_the_right_are_refused(cast: Cast) -> None:
    for actor in (cast.bob, cast.charlie, cast.application.service_account):
        with pytest.raises(PolicyDenied):
            allow_start(actor=actor, application=cast.application, agent=cast.agent)
        with pytest.raises(PolicyDenied):
            create_application(actor=actor, team=cast.team, slug="x", name="X")
        with pytest.raises(PolicyDenied):
            revoke_application(actor=actor, application=cast.application)


def test_revoked_application_starts_nothing_more(cast: Cast) -> None:
    revoke_application(actor=cast.alice, application=cast.application, reason="leaked key")

    assert not User.objects.get(pk=cast.application.service_account_id).is_active
    with pytest.raises(StateConflict):
        revoke_application(actor=cast.alice, application=cast.application)
    with pytest.raises(StateConflict):
        allow_start(actor=cast.alice, application=cast.application, agent=cast.agent)


def test_update_returns_what_changed(cast: Cast) -> None:
    application = cast.application
    changes = update_application(
        actor=cast.alice, application=application, name=application.name, may_assert_users=False
    )

    assert changes == {"may_assert_users": (True, False)}
    assert kinds_of(application.id) == ["application.updated"]
