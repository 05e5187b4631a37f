"""Teams and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db import transaction
from django.utils import timezone

from agentops.errors import ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.rows import insert_row, update_row
from identities.factors import require_fresh_factor
from identities.models import Team, User
from identities.policies import require


@transaction.atomic
def create_team(*, actor: User, slug: str, name: str) -> Team:
    """Create a team without members. Superusers only: whoever could make a team could make themselves one."""
    require(actor, "identities.add_team", None)
    team = Team(slug=slug, name=name)
    insert_row(team)
    record(team.id, "team", Draft("team.created", timezone.now(), {"slug": slug}, actor=actor.id))
    return team


@transaction.atomic
def update_team(*, actor: User, team: Team, name: str) -> Team:
    """Change a team's name."""
    require(actor, "identities.change_team", team)
    locked = Team.objects.select_for_update().get(pk=team.pk)
    if update_row(locked, {"name": name}):
        record(team.id, "team", Draft("team.updated", timezone.now(), {"fields": ["name"]}, actor=actor.id))
    return locked


@transaction.atomic
def set_members(*, actor: User, team: Team, members: Iterable[User]) -> Team:
    """Make exactly these people the members; raises ValidationFailed for a service account."""
    require(actor, "identities.change_team", None)
    require_fresh_factor(actor)
    wanted = {member.pk: member for member in members}
    if any(member.kind != User.Kind.PERSON for member in wanted.values()):
        raise ValidationFailed("not_a_person", "only people are members of a team")
    locked = Team.objects.select_for_update().get(pk=team.pk)
    present = set(locked.members.values_list("pk", flat=True))
    joined, left = sorted(wanted.keys() - present), sorted(present - wanted.keys())
    if joined or left:
        locked.members.set(wanted.values())
        facts = {"joined": [str(pk) for pk in joined], "left": [str(pk) for pk in left]}
        record(team.id, "team", Draft("team.members_changed", timezone.now(), facts, actor=actor.id))
    return locked


def set_membership(locked: Team, person: User, *, belongs: bool, facts: Mapping[str, object]) -> None:
    """Take one person into a team or out of it, as nobody here decided, in the caller's transaction."""
    if locked.members.filter(pk=person.pk).exists() is belongs:
        return
    if belongs:
        locked.members.add(person)
    else:
        locked.members.remove(person)
    moved = {"joined": [str(person.pk)] if belongs else [], "left": [] if belongs else [str(person.pk)]}
    record(locked.id, "team", Draft("team.members_changed", timezone.now(), {**facts, **moved}))
