"""The cast: Alice owns, Bob is on her team, Charlie is an outsider, Fiona approves, Ada sets all of it up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import psycopg
from django.contrib.auth.models import Group, Permission
from guardian.shortcuts import assign_perm

from agentops.identifiers import new_id
from identities.changes import known_verbs
from identities.models import AgentIdentity, Application, Team, User
from tests.factories.identities import (
    AgentAccountFactory,
    AgentFactory,
    ApplicationAccountFactory,
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
    "add_secret",
    "change_secret",
    "add_credential",
    "add_tokenissuer",
    "change_team",
    "add_decisiontable",
    "add_decisiontableversion",
    "change_decisiontableversion",
    "add_tool",
    "add_toolversion",
    "add_toolgrant",
    "change_tool",
    "operate_tool",
    "add_agentversion",
    "change_agentversion",
    "change_evaluationset",
    "add_budget",
    "add_absence",
    "add_approvalrule",
    "add_noticechannel",
    "change_noticechannel",
    "change_reviewcapacity",
    "control_run",
    "settle_outcome",
    "answer_handover",
    "extend_budget",
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


@cache
def governing_permissions() -> tuple[int, ...]:
    """Return the ids of what Alice holds; migrations wrote them, and no test's end takes them away."""
    return tuple(Permission.objects.filter(codename__in=GOVERNING).values_list("id", flat=True))


def make_cast() -> Cast:
    """Write the cast's rows, those of one table together: most tests need them and few take longer than this."""
    team, other_team = Team.objects.bulk_create(
        [TeamFactory.build(slug="support"), TeamFactory.build(slug="logistics")]
    )
    people = [PersonFactory.build(username=name) for name in ("alice", "bob", "charlie", "fiona")]
    accounts = [ApplicationAccountFactory.build(), AgentAccountFactory.build()]
    ada, alice, bob, charlie, fiona, for_application, for_agent = User.objects.bulk_create(
        [PersonFactory.build(username="ada", is_superuser=True), *people, *accounts]
    )
    let_govern(alice, charlie)  # Charlie is refused for not being on the team, not for lacking rights
    join([(team, alice), (team, bob), (team, fiona), (other_team, charlie)])
    finance = Group.objects.create(name="finance")
    User.groups.through.objects.create(user=fiona, group=finance)
    give_second_factor(fiona)
    application = ApplicationFactory.create(team=team, slug="shop-app", service_account=for_application)
    agent = AgentFactory.create(team=team, slug="refunds-agent", owner=alice, service_account=for_agent)
    assign_perm("start_run", application.service_account, agent)
    return Cast(team, other_team, ada, alice, bob, charlie, fiona, finance, application, agent)


def let_govern(*people: User) -> None:
    """Give people everything that Alice may do."""
    holdings = User.user_permissions.through
    holdings.objects.bulk_create(
        holdings(user=person, permission_id=permission)
        for person in people
        for permission in governing_permissions()
    )


def join(pairs: list[tuple[Team, User]]) -> None:
    """Put people on teams."""
    memberships = Team.members.through
    memberships.objects.bulk_create(memberships(team=team, user=person) for team, person in pairs)


def let_one_person_govern(url: str) -> None:
    """Write the rules by which one person is enough, past their guard: most tests are about something else.

    Those about second people take them away again, which tightens, and so is one person's.
    """
    rows = [(new_id(), verb.name) for verb in known_verbs() if verb.name != "rule.set"]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE identities_changerule DISABLE TRIGGER USER")
        cursor.executemany(
            "INSERT INTO identities_changerule (id, verb, needs, changed_at) VALUES (%s, %s, 'one', now())",
            rows,
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE identities_changerule ENABLE TRIGGER USER")
