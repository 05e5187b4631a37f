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
from identities.models import ProviderAccount, User
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
    insert_person(person, password=password, groups=_names(groups), facts={}, actor=actor)
    return person


def insert_person(
    person: User, *, password: str | None, groups: list[str], facts: Mapping[str, object], actor: User | None
) -> None:
    """Write a new account with its entry, in the caller's transaction and behind the caller's checks."""
    _set_password(person, password)
    insert_row(person)
    check_roles(groups, superuser=person.is_superuser)
    person.groups.set(Group.objects.filter(name__in=groups))
    given = {"staff": person.is_staff, "superuser": person.is_superuser, "groups": groups}
    _record(person, "person.created", {**facts, **given}, actor)


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
    wanted = _names(groups)
    if locked.pk == actor.pk and not set(wanted) <= set(_names(locked.groups.all())):
        # A group may have been given calls to approve, which no superuser approves by rank.
        raise PolicyDenied("own_rights", "nobody puts themselves into a group: ask another superuser")
    return set_rights(
        locked, active=active, staff=staff, superuser=superuser, groups=wanted, facts={}, actor=actor
    )


def set_rights(
    locked: User,
    *,
    active: bool,
    staff: bool,
    superuser: bool,
    groups: list[str],
    facts: Mapping[str, object],
    actor: User | None,
) -> Changes:
    """Write what an account may do with its entry, in the caller's transaction and behind the caller's checks."""
    check_roles(groups, superuser=superuser)
    changes = update_row(locked, {"is_active": active, "is_staff": staff, "is_superuser": superuser})
    present = _names(locked.groups.all())
    if groups != present:
        locked.groups.set(Group.objects.filter(name__in=groups))
        changes["groups"] = (present, groups)
    if changes:
        given = {"active": active, "staff": staff, "superuser": superuser, "groups": groups}
        _record(locked, "person.updated", {**facts, **given}, actor)
    if "is_active" in changes:
        send_after_commit("runs.wake_person", str(locked.pk), queue="critical")
    return changes


@transaction.atomic
def set_password(*, actor: User, person: User, password: str) -> None:
    """Set a person's password, which ends their sessions; raises ValidationFailed for a weak one.

    Raises StateConflict `signs_on_elsewhere`: whoever leaves the company must not keep a way in here.
    """
    require(actor, "identities.change_user", None)
    require_fresh_factor(actor)
    locked = User.objects.select_for_update().get(pk=person.pk, kind=User.Kind.PERSON)
    if ProviderAccount.objects.filter(user=locked).exists():
        raise StateConflict("signs_on_elsewhere", "they sign on at the provider: take that back first")
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


def _record(person: User, kind: str, facts: Mapping[str, object], actor: User | None) -> None:
    who = actor.id if actor else None
    record(person.id, "person", Draft(kind, timezone.now(), dict(facts), actor=who))
