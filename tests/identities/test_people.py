"""People, groups and teams."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from identities.models import User
from identities.services import (
    create_first_superuser,
    create_group,
    create_person,
    create_team,
    set_group_permissions,
    set_members,
    set_password,
    update_person,
    update_team,
)
from tests.cast import Cast
from tests.factories import PersonFactory
from tests.ledger import kinds_of, last_entry

PASSWORD = "correct horse battery"


@pytest.mark.usefixtures("db")
def test_first_superuser_is_the_last_made_this_way() -> None:
    first = create_first_superuser(username="root", password=PASSWORD)

    assert first.is_superuser
    assert first.check_password(PASSWORD)
    entry = last_entry(first.id)
    assert (entry.kind, entry.actor) == ("person.created", first.id)
    assert entry.facts == {"by": "bootstrap", "staff": True, "superuser": True, "groups": []}
    with pytest.raises(StateConflict):
        create_first_superuser(username="second", password=PASSWORD)


@pytest.mark.usefixtures("db")
def test_a_superuser_made_at_a_terminal_is_on_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", interactive=False, username="root", email="", stdout=StringIO())
    person = User.objects.get(username="root", is_superuser=True)
    entry = last_entry(person.id)
    assert (entry.kind, entry.actor) == ("person.created", person.id)
    assert entry.facts == {"by": "terminal", "staff": True, "superuser": True, "groups": []}


def test_person_without_password_cannot_sign_in(cast: Cast) -> None:
    person = create_person(actor=cast.ada, username="new", password=None, groups=[cast.finance])

    assert not person.has_usable_password()
    assert list(person.groups.all()) == [cast.finance]
    assert last_entry(person.id).facts == {"staff": True, "superuser": False, "groups": ["finance"]}


@pytest.mark.parametrize("password", ["short", "password1234"])
def test_weak_passwords_are_refused(cast: Cast, password: str) -> None:
    with pytest.raises(ValidationFailed, match="weak_password"):
        create_person(actor=cast.ada, username="new", password=password)
    with pytest.raises(ValidationFailed, match="weak_password"):
        set_password(actor=cast.ada, person=cast.bob, password=password)


def test_set_password(cast: Cast) -> None:
    set_password(actor=cast.ada, person=cast.bob, password=PASSWORD)

    assert User.objects.get(pk=cast.bob.pk).check_password(PASSWORD)
    assert kinds_of(cast.bob.id) == ["person.password_set"]


def test_update_person_changes_groups_and_flags(cast: Cast) -> None:
    changes = update_person(
        actor=cast.ada, person=cast.bob, active=True, staff=True, superuser=True, groups=[cast.finance]
    )

    assert changes == {"is_superuser": (False, True), "groups": ([], ["finance"])}
    assert last_entry(cast.bob.id).facts["groups"] == ["finance"]


@pytest.mark.parametrize(("active", "superuser"), [(False, True), (True, False)])
def test_nobody_locks_themselves_out(cast: Cast, active: bool, superuser: bool) -> None:
    with pytest.raises(StateConflict):
        update_person(
            actor=cast.ada, person=cast.ada, active=active, staff=True, superuser=superuser, groups=[]
        )


def test_nobody_puts_themselves_into_a_group(cast: Cast) -> None:
    """A group may have been given calls to approve."""
    own: dict[str, Any] = {
        "actor": cast.ada,
        "person": cast.ada,
        "active": True,
        "staff": True,
        "superuser": True,
    }
    with pytest.raises(PolicyDenied, match="ask another superuser") as refused:
        update_person(**own, groups=[cast.finance])
    assert refused.value.code == "own_rights"
    assert not cast.ada.groups.exists()
    cast.ada.groups.add(cast.finance)
    assert update_person(**own, groups=[cast.finance]) == {}
    assert update_person(**own, groups=[]) == {"groups": (["finance"], [])}


def test_accounts_are_set_up_by_superusers_only(cast: Cast) -> None:
    for actor in (cast.alice, cast.charlie, cast.agent.service_account):
        with pytest.raises(PolicyDenied):
            create_person(actor=actor, username="new", password=None)
        with pytest.raises(PolicyDenied):
            update_person(actor=actor, person=cast.bob, active=True, staff=True, superuser=True, groups=[])
        with pytest.raises(PolicyDenied):
            set_password(actor=actor, person=cast.bob, password=PASSWORD)
        with pytest.raises(PolicyDenied):
            create_group(actor=actor, name="new")
        with pytest.raises(PolicyDenied):
            create_team(actor=actor, slug="new", name="New")
        with pytest.raises(PolicyDenied):
            set_members(actor=actor, team=cast.team, members=[actor])


def test_inactive_superuser_sets_nothing_up(cast: Cast) -> None:
    cast.ada.is_active = False

    with pytest.raises(PolicyDenied):
        create_team(actor=cast.ada, slug="new", name="New")


def test_team_members_are_people(cast: Cast) -> None:
    with pytest.raises(ValidationFailed):
        set_members(actor=cast.ada, team=cast.team, members=[cast.agent.service_account])


def test_set_members_records_who_came_and_went(cast: Cast) -> None:
    dora = PersonFactory.create()
    set_members(actor=cast.ada, team=cast.team, members=[cast.alice, dora])

    facts = last_entry(cast.team.id).facts
    assert facts["joined"] == [str(dora.id)]
    assert facts["left"] == sorted([str(cast.bob.id), str(cast.fiona.id)])
    set_members(actor=cast.ada, team=cast.team, members=[cast.alice, dora])
    assert kinds_of(cast.team.id) == ["team.members_changed"]


def test_rename_team(cast: Cast) -> None:
    assert update_team(actor=cast.alice, team=cast.team, name="Help desk").name == "Help desk"
    with pytest.raises(PolicyDenied):
        update_team(actor=cast.charlie, team=cast.team, name="Mine")


def test_group_permissions(cast: Cast) -> None:
    group = create_group(actor=cast.ada, name="operators", permissions=["tools.operate_tool"])

    changes = set_group_permissions(actor=cast.ada, group=group, permissions=["ledger.view_entry"])
    assert changes == {"permissions": (["tools.operate_tool"], ["ledger.view_entry"])}
    assert set_group_permissions(actor=cast.ada, group=group, permissions=["ledger.view_entry"]) == {}
    with pytest.raises(ValidationFailed, match=r"tools\.everything"):
        set_group_permissions(actor=cast.ada, group=group, permissions=["tools.everything"])
    assert Group.objects.get(name="operators").permissions.count() == 1
