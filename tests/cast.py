"""The cast: Alice owns, Bob is on her team, Charlie is an outsider, Fiona approves, Ada sets all of it up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import Group, Permission
from guardian.shortcuts import assign_perm

from identities.models import AgentIdentity, Application, Team, User
from tests.factories.identities import (
    AgentFactory,
    ApplicationFactory,
    PersonFactory,
    TeamFactory,
    give_second_factor,
)

# What Alice holds for all objects; it counts in her own team only.
GOVERNING = (
    "add_agentidentity",
    "change_agentidentity",
    "operate_agent",
    "start_run",
    "add_apikey",
    "add_application",
    "change_application",
    "change_team",
    "add_tool",
    "add_toolversion",
    "add_toolgrant",
    "change_tool",
    "operate_tool",
    "add_agentversion",
    "change_agentversion",
    "add_budget",
    "control_run",
    "settle_outcome",
    "answer_handover",
)


@dataclass(frozen=True, slots=True)
class Cast:
    """Two teams and who belongs where. The application may start the agent's runs."""

    team: Team
    other_team: Team
    ada: User
    alice: User
    bob: User
    charlie: User
    fiona: User
    finance: Group
    application: Application
    agent: AgentIdentity


def make_cast() -> Cast:
    """Write the cast's rows."""
    team, other_team = TeamFactory.create(slug="support"), TeamFactory.create(slug="logistics")
    ada = PersonFactory.create(username="ada", is_superuser=True)
    names = ("alice", "bob", "charlie", "fiona")
    alice, bob, charlie, fiona = (PersonFactory.create(username=name) for name in names)
    permissions = Permission.objects.filter(codename__in=GOVERNING)
    alice.user_permissions.set(permissions)
    charlie.user_permissions.set(permissions)  # refused for not being on the team, not for lacking rights
    team.members.set([alice, bob, fiona])
    other_team.members.set([charlie])
    finance = Group.objects.create(name="finance")
    fiona.groups.add(finance)
    give_second_factor(fiona)
    application = ApplicationFactory.create(team=team, slug="shop-app")
    agent = AgentFactory.create(team=team, slug="refunds-agent", owner=alice)
    assign_perm("start_run", application.service_account, agent)
    return Cast(team, other_team, ada, alice, bob, charlie, fiona, finance, application, agent)


@pytest.fixture
def cast(db: None) -> Cast:
    """Provide the cast in this test's database."""
    return make_cast()
