"""People's accounts, for bootstrapping and demos: in a company they come from its own directory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agentops.errors import PolicyDenied, StateConflict, ValidationFailed
from agentops.ledger.entries import Draft
from agentops.ledger.store import record
from agentops.messages import send_after_commit
from agentops.rows import Changes, insert_row, update_row
from identities.accounts import record_bootstrap
from identities.factors import require_fresh_factor
from identities.models import User
from identities.policies import require
from identities.roles import check_roles


@transaction.atomic
def create_first_superuser(*, username: str, password: str) -> User:
    """Create the account that everything else is set up with; its own actor.

    Raises StateConflict as soon as there is any active superuser.
    """
    if User.objects.filter(is_superuser=True, is_active=True).exists():
        raise StateConflict("superuser_exists", "there is a superuser: ask them")
    person = User(username=username, is_staff=True, is_superuser=True)
    _set_password(person, password)
    insert_row(person)
    record_bootstrap(person, by="bootstrap")
    return person


@transaction.atomic
def create_person(
    *,
    actor: User,
    username: str,
    password: str | None,
    staff: bool = True,
    superuser: bool = False,
    groups: Iterable[Group] = (),
) -> User:
    """Create a person's account; without a password nobody can sign in with it yet."""
    require(actor, "identities.add_user", None)
    require_fresh_factor(actor)
    person = User(username=username, is_staff=staff, is_superuser=superuser)
    _set_password(person, password)
    insert_row(person)
    named = list(groups)
    check_roles(_names(named), superuser=superuser)
    person.groups.set(named)
    facts = {"staff": staff, "superuser": superuser, "groups": _names(named)}
    _record(person, "person.created", facts, actor)
    return person


@transaction.atomic
def update_person(
    *, actor: User, person: User, active: bool, staff: bool, superuser: bool, groups: Iterable[Group]
) -> Changes:
    """Change what an account may do; return what changed.

    Raises StateConflict for taking one's own right, PolicyDenied `own_rights` for giving oneself a group's.
    """
    require(actor, "identities.change_user", None)
    require_fresh_factor(actor)
    locked = User.objects.select_for_update().get(pk=person.pk, kind=User.Kind.PERSON)
    if locked.pk == actor.pk and not (superuser and active):
        raise StateConflict("own_rights", "nobody takes the superuser right from themselves")
    wanted, present = _names(groups), _names(locked.groups.all())
    check_roles(wanted, superuser=superuser)
    if locked.pk == actor.pk and not set(wanted) <= set(present):
        # A group may have been given calls to approve, which no superuser approves by rank.
        raise PolicyDenied("own_rights", "nobody puts themselves into a group: ask another superuser")
    changes = update_row(locked, {"is_active": active, "is_staff": staff, "is_superuser": superuser})
    if wanted != present:
        locked.groups.set(Group.objects.filter(name__in=wanted))
        changes["groups"] = (present, wanted)
    if changes:
        facts = {"active": active, "staff": staff, "superuser": superuser, "groups": wanted}
        _record(locked, "person.updated", facts, actor)
    if "is_active" in changes:
        send_after_commit("runs.wake_person", str(locked.pk), queue="critical")
    return changes


@transaction.atomic
def set_password(*, actor: User, person: User, password: str) -> None:
    """Set a person's password; raises ValidationFailed for a weak one."""
    require(actor, "identities.change_user", None)
    require_fresh_factor(actor)
    locked = User.objects.select_for_update().get(pk=person.pk, kind=User.Kind.PERSON)
    _set_password(locked, password)
    locked.save(update_fields=["password"])
    _record(locked, "person.password_set", {}, actor)


def _names(groups: Iterable[Group]) -> list[str]:
    return sorted(group.name for group in groups)


def _set_password(person: User, password: str | None) -> None:
    if password is None:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise ValidationFailed("weak_password", " ".join(error.messages)) from error
    person.set_password(password)


def _record(person: User, kind: str, facts: Mapping[str, object], actor: User) -> None:
    record(person.id, "person", Draft(kind, timezone.now(), dict(facts), actor=actor.id))
