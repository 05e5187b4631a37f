"""Applications, and which agents they may start."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, transaction

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.changes import SecondPersonNeeded, activate, do_or_propose, seconded
from identities.models import AgentIdentity, Application, ChangeProposal, User
from identities.services import (
    allow_start,
    create_application,
    forbid_start,
    revoke_application,
    update_application,
)
from tests.cast import Cast, let_govern
from tests.factories import AgentFactory
from tests.factories.identities import ApplicationAccountFactory
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


# --- whether it may name users ----------------------------------------------------------------------------


@pytest.fixture
def untrusted(governed: Cast) -> Application:
    """Provide an application that names nobody, where what loosens takes two people, and Bob may be the second."""
    let_govern(governed.bob)
    return create_application(actor=governed.alice, team=governed.team, slug="till", name="Till")


def trust(cast: Cast, application: Application) -> object:
    return do_or_propose(
        actor=cast.alice,
        act=lambda: update_application(
            actor=cast.alice, application=application, name="Till", may_assert_users=True
        ),
    )


def test_to_trust_an_application_takes_two_people(governed: Cast, untrusted: Application) -> None:
    proposal = trust(governed, untrusted)
    assert isinstance(proposal, ChangeProposal)
    untrusted.refresh_from_db()
    assert (untrusted.may_assert_users, proposal.loosening) == (False, ["may_assert_users"])
    with pytest.raises(PolicyDenied, match="nobody activates"):
        activate(actor=governed.alice, proposal=proposal, second_factor=True)
    activate(actor=governed.bob, proposal=proposal, second_factor=True)
    untrusted.refresh_from_db()
    assert untrusted.may_assert_users
    assert kinds_of(untrusted.id) == ["application.created", "application.updated"]


def test_to_trust_it_no_more_takes_one(governed: Cast, untrusted: Application) -> None:
    with seconded(governed.bob):
        update_application(actor=governed.alice, application=untrusted, name="Till", may_assert_users=True)
    changes = update_application(
        actor=governed.alice, application=untrusted, name="Till", may_assert_users=False
    )
    assert changes == {"may_assert_users": (True, False)}


def test_another_name_takes_one(governed: Cast, untrusted: Application) -> None:
    update_application(actor=governed.alice, application=untrusted, name="Desk", may_assert_users=False)
    with pytest.raises(SecondPersonNeeded):
        update_application(actor=governed.alice, application=untrusted, name="Desk", may_assert_users=True)


def test_none_is_made_that_may_name_users_by_one_person(governed: Cast) -> None:
    with pytest.raises(PolicyDenied, match="make it without"):
        create_application(
            actor=governed.alice, team=governed.team, slug="till", name="Till", may_assert_users=True
        )
    assert not Application.objects.filter(slug="till").exists()
    let_govern(governed.bob)
    with seconded(governed.bob):
        made = create_application(
            actor=governed.alice, team=governed.team, slug="till", name="Till", may_assert_users=True
        )
    made.refresh_from_db()
    assert made.may_assert_users


def test_no_row_is_written_that_may_name_users(governed: Cast) -> None:
    account = ApplicationAccountFactory.create()
    with pytest.raises(ProgrammingError, match="second person"), transaction.atomic():
        Application.objects.create(
            team=governed.team, slug="till", name="Till", service_account=account, may_assert_users=True
        )
