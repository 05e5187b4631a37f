"""Groups, people and teams."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group

from agentops.rows import Changes
from identities.models import Team, User
from identities.services import (
    create_group,
    create_person,
    create_team,
    set_group_permissions,
    set_members,
    update_person,
    update_team,
)
from runs.provisioning.session import Session, at
from runs.provisioning.variables import read_variable


def apply_groups(session: Session) -> None:
    """Create groups; where permissions are listed, they are exactly these."""
    for name, entry in session.section("groups").items():
        with at(f"groups/{name}"):
            group = Group.objects.filter(name=name).first()
            permissions = entry.get("permissions")
            if group is None:
                create_group(actor=session.actor, name=name, permissions=permissions or ())
                session.created("group", name, {"permissions": permissions})
            elif permissions is None:
                session.changed("group", name, {})
            else:
                changes = set_group_permissions(actor=session.actor, group=group, permissions=permissions)
                session.changed("group", name, changes)


def apply_people(session: Session) -> None:
    """Create people, or change what their accounts may do; a password is only ever set with the account."""
    for username, entry in session.section("people").items():
        with at(f"people/{username}"):
            person = User.objects.filter(kind=User.Kind.PERSON, username=username).first()
            if person is None:
                _create_person(session, username, entry)
            else:
                _update_person(session, person, entry)


def apply_teams(session: Session) -> None:
    """Create or rename teams; where members are listed, they are exactly these."""
    for slug, entry in session.section("teams").items():
        with at(f"teams/{slug}"):
            team = Team.objects.filter(slug=slug).first()
            if team is None:
                team = create_team(actor=session.actor, slug=slug, name=entry["name"])
                _apply_members(session, team, entry)
                session.created("team", slug, entry)
            else:
                changes = _apply_members(session, team, entry)
                if team.name != entry["name"]:
                    update_team(actor=session.actor, team=team, name=entry["name"])
                    changes["name"] = (team.name, entry["name"])
                session.changed("team", slug, changes)


def _apply_members(session: Session, team: Team, entry: dict[str, Any]) -> Changes:
    before = sorted(team.members.values_list("username", flat=True))
    after = sorted(entry.get("members", before))
    if after == before:
        return {}
    set_members(actor=session.actor, team=team, members=[session.person(name) for name in after])
    return {"members": (before, after)}


def _create_person(session: Session, username: str, entry: dict[str, Any]) -> None:
    variable = entry.get("password_from")
    password = None if variable is None else read_variable(variable, session.variables, "password_from")
    groups = [session.group(name) for name in entry.get("groups", [])]
    staff, superuser = entry.get("staff", True), entry.get("superuser", False)
    create_person(
        actor=session.actor,
        username=username,
        password=password,
        staff=staff,
        superuser=superuser,
        groups=groups,
    )
    shown = {"staff": staff, "superuser": superuser, "groups": entry.get("groups", [])}
    session.created("person", username, shown)


def _update_person(session: Session, person: User, entry: dict[str, Any]) -> None:
    names = entry.get("groups")
    groups = list(person.groups.all()) if names is None else [session.group(name) for name in names]
    changes = update_person(
        actor=session.actor,
        person=person,
        active=entry.get("active", person.is_active),
        staff=entry.get("staff", person.is_staff),
        superuser=entry.get("superuser", person.is_superuser),
        groups=groups,
    )
    session.changed("person", person.username, changes)
